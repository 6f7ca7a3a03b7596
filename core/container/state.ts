/**
 * A container's states and what moves it between them: one table. The pictures in the docs and in
 * the playground are drawn from it; the engine asks it before it acts.
 */
import { assert } from "../base/assert.ts";
import { TsboxError } from "../base/error.ts";

export type ContainerState = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";

/** What happens to a container. "back-off": it ended and its restart policy will start it again. */
export type ContainerEvent =
  | "start"
  | "exit"
  | "back-off"
  | "give-up"
  | "pause"
  | "unpause"
  | "remove"
  | "remove-failed";

export const transitions: Readonly<Record<ContainerState, Readonly<Partial<Record<ContainerEvent, ContainerState>>>>> =
  {
    created: { start: "running", remove: "removing" },
    running: { exit: "exited", "back-off": "restarting", pause: "paused" },
    paused: { unpause: "running", exit: "exited", "back-off": "restarting" },
    restarting: { start: "running", "give-up": "exited", remove: "removing" },
    exited: { start: "running", "back-off": "restarting", remove: "removing" },
    removing: { "remove-failed": "dead" },
    dead: { remove: "removing" },
  };

/** The state after an event. That the event may happen now is the caller's to know. */
export function after(state: ContainerState, event: ContainerEvent): ContainerState {
  const next = transitions[state][event];
  assert(next !== undefined, `a container that is ${state} cannot ${event}`);
  return next;
}

/** What a user may ask of a container; whether its state allows it is in `refusals`. */
export type Operation =
  | "start"
  | "stop"
  | "kill"
  | "pause"
  | "unpause"
  | "top"
  | "exec"
  | "attach"
  | "remove"
  | "resize"
  | "rename"
  | "export";

export interface Subject {
  readonly id: string;
  readonly name: string;
  readonly state: ContainerState;
}

type Refusal = (subject: Subject) => TsboxError;

const conflict =
  (say: (subject: Subject) => string): Refusal =>
  (subject) =>
    new TsboxError("conflict", say(subject));

const already: Refusal = ({ name, state }) => new TsboxError("not-modified", `container ${name} is already ${state}`);
const notRunning = conflict(({ id }) => `container ${id} is not running`);
const notPaused = conflict(({ id }) => `container ${id} is not paused`);
const isRestarting = conflict(({ name }) => `container ${name} is restarting, wait until the container is running`);
const marked = conflict(({ id }) => `container ${id} is marked for removal`);
const inRemoval = conflict(({ id }) => `removal of container ${id} is already in progress`);
const removalOf = (hint: string): Refusal =>
  conflict(({ name, state }) => `cannot remove container "/${name}": container is ${state}${hint}`);

/** Docker's words for what a state forbids (moby: daemon/{start,stop,kill,pause,top,delete,exec,attach,export}.go). */
const refusals: Readonly<Record<Operation, Readonly<Partial<Record<ContainerState, Refusal>>>>> = {
  start: {
    running: already,
    paused: conflict(() => "cannot start a paused container, try unpause instead"),
    removing: conflict(() => "container is marked for removal and cannot be started"),
    dead: conflict(() => "container is marked for removal and cannot be started"),
  },
  stop: { created: already, exited: already, removing: already, dead: already },
  kill: {
    created: notRunning,
    restarting: notRunning,
    exited: notRunning,
    removing: notRunning,
    dead: notRunning,
  },
  pause: {
    created: notRunning,
    paused: conflict(({ id }) => `container ${id} is already paused`),
    restarting: isRestarting,
    exited: notRunning,
    removing: notRunning,
    dead: notRunning,
  },
  unpause: {
    created: notPaused,
    running: notPaused,
    restarting: notPaused,
    exited: notPaused,
    removing: notPaused,
    dead: notPaused,
  },
  top: {
    created: notRunning,
    restarting: isRestarting,
    exited: notRunning,
    removing: notRunning,
    dead: notRunning,
  },
  exec: {
    created: notRunning,
    paused: conflict(({ name }) => `container ${name} is paused, unpause the container before exec`),
    restarting: isRestarting,
    exited: notRunning,
    removing: notRunning,
    dead: notRunning,
  },
  attach: {
    paused: conflict(({ name }) => `container ${name} is paused, unpause the container before attach`),
    restarting: isRestarting,
    removing: marked,
    dead: marked,
  },
  remove: {
    running: removalOf(": stop the container before removing or force remove"),
    restarting: removalOf(": stop the container before removing or force remove"),
    paused: removalOf(" and must be unpaused first"),
    removing: inRemoval,
  },
  resize: {
    created: notRunning,
    restarting: notRunning,
    exited: notRunning,
    removing: notRunning,
    dead: notRunning,
  },
  rename: { removing: marked, dead: marked },
  export: {
    removing: conflict(({ id }) => `You cannot export container ${id} which is being removed`),
    dead: conflict(({ id }) => `You cannot export container ${id} which is Dead`),
  },
};

/** Throws TsboxError "conflict" or "not-modified" when the container's state forbids the operation. */
export function allow(operation: Operation, subject: Subject): void {
  const refusal = refusals[operation][subject.state];
  if (refusal !== undefined) throw refusal(subject);
}

/** Whether a process of it exists. */
export function isUp(state: ContainerState): boolean {
  return state === "running" || state === "paused";
}
