/**
 * The system calls: Sys for one process, a subject a file. Each checks what the process may do, then
 * changes the kernel's state; those that may have to wait hand the scheduler something to try
 * (turns.ts).
 *
 *   caller → processes → descriptors → files → isolation → network → ipc → trace
 */
import type { Sys } from "../sys.ts";
import { TraceCalls } from "./trace.ts";

export class Calls extends TraceCalls implements Sys {}
