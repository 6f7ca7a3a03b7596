/** One measured line of a bench: ours beside the peers', and the goal it is held to. */
export interface Row {
  readonly bench: string;
  readonly row: string;
  readonly unit: "ms" | "bytes" | "us";
  readonly ours: number;
  readonly peers: Readonly<Record<string, number>>;
  /** Ours divided by the peer named in the goal. */
  readonly ratio: number | null;
  /** "at most 1.5 × runc"; null: the row only informs. */
  readonly goal: string | null;
  readonly met: boolean | null;
}

export interface Goal {
  readonly peer: string;
  readonly atMost: number;
}

export interface Measured {
  readonly bench: string;
  readonly row: string;
  readonly unit: Row["unit"];
  readonly ours: number;
  readonly peers: Readonly<Record<string, number>>;
}

/** Judges numbers by a goal; a peer that is not on this machine leaves the goal open. */
export function judge(measured: Measured, goal: Goal | null): Row {
  const peer = goal === null ? undefined : measured.peers[goal.peer];
  const ratio = peer === undefined ? null : rounded(measured.ours / peer);
  return {
    ...measured,
    ours: rounded(measured.ours),
    peers: Object.fromEntries(Object.entries(measured.peers).map(([name, value]) => [name, rounded(value)])),
    ratio,
    goal: goal === null ? null : `at most ${rounded(goal.atMost)} × ${goal.peer}`,
    met: goal === null || ratio === null ? null : ratio <= goal.atMost,
  };
}

export function formatRow({ bench, row, unit, ours, peers, ratio, goal, met }: Row): string {
  const others = Object.entries(peers).map(([name, value]) => `${name} ${value} ${unit}`);
  const verdict =
    goal === null ? [] : [`${goal}: ${ratio ?? "?"} × ${met === null ? "(not judged)" : met ? "(met)" : "(NOT MET)"}`];
  return [`${bench}, ${row}: ${ours} ${unit}`, ...others, ...verdict].join("; ");
}

/** Three digits after the point are more than any of these measurements is worth. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
