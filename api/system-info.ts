/** What the API tells of the program and the machine around the engine; bin fills it in once. */
import type { Clock } from "../core/base/ports.ts";

export interface SystemInfo {
  /** tsbox's own version, "0.1.0". */
  readonly version: string;
  readonly commit: string;
  /** RFC 3339. */
  readonly buildTime: string;
  /** What runs tsboxd: "node v24.0.0". */
  readonly runtime: string;
  /** An id of this engine that survives restarts. */
  readonly id: string;
  /** The machine's host name. */
  readonly hostName: string;
  readonly operatingSystem: string;
  readonly dataRoot: string;
  /** The graph driver's name, "overlay2". */
  readonly storageDriver: string;
  readonly debug: boolean;
  readonly clock: Clock;
  /** Lets so many milliseconds pass at once, with all that happens in them; null where time goes by itself. */
  readonly advance: ((ms: number, signal: AbortSignal) => Promise<void>) | null;
}
