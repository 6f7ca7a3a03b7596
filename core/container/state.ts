/**
 * A container's states and what moves it between them: one table. The pictures in the docs and in
 * the playground are drawn from it; the engine asks it before it acts.
 */
export type ContainerState = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";
