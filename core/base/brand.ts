/**
 * Brands: strings that must not be mixed get a type of their own. A brand costs nothing at run
 * time; it is given once, where a value is parsed or made, and carried from there on.
 */
declare const brand: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brand]: { readonly [K in Name]: true } };

/** 64 lower-case hex digits naming a container; its short form is the first 12. */
export type ContainerId = Brand<string, "ContainerId">;
/** 64 lower-case hex digits naming one exec session of a container. */
export type ExecId = Brand<string, "ExecId">;
/** An absolute path on the machine that performs plans (the host's own file tree). */
export type HostPath = Brand<string, "HostPath">;
/** An absolute path as the container sees it; it is resolved beneath the container's root only. */
export type ContainerPath = Brand<string, "ContainerPath">;
