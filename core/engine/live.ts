/**
 * A container as the engine holds it: its record, and what only exists while this engine does. The
 * record is a value: a change replaces it, and only inside a job of `serial`.
 */
import type { ContainerRecord } from "../container/record.ts";
import type { PendingAttachment } from "./attach.ts";
import type { Task } from "./machine.ts";
import { Serial } from "./serial.ts";
import { Waits } from "./waits.ts";

export class Live {
  record: ContainerRecord;
  /** Its first process, null while there is none. */
  task: Task | null = null;
  /** One operation at a time. */
  readonly serial = new Serial();
  readonly waits = new Waits();
  /** Clients that attached before the start. */
  readonly pending = new Set<PendingAttachment>();
  /** Aborts the wait before a restart of the policy. */
  backOff: AbortController | null = null;
  delayMs = 0;
  /** Being restarted by the user: its end is not the moment to remove it. */
  keep = false;

  constructor(record: ContainerRecord) {
    this.record = record;
  }
}
