/** Events: what happened to which object, in Docker's vocabulary (moby: api/types/events). */
export interface Event {
  readonly type: "container" | "image" | "volume" | "network";
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
}

export interface EventFilter {
  readonly since: bigint | null;
  readonly until: bigint | null;
  readonly accepts: (event: Event) => boolean;
}
