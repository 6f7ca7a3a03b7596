/**
 * What `ps` says of a container: "Up 3 seconds", "Exited (0) 2 minutes ago". The words for a
 * length of time are Docker's (docker/go-units: HumanDuration).
 */
import { parseTime, zeroTime } from "../base/time.ts";
import type { ContainerRecord } from "./record.ts";

/** Of a length of time in seconds. */
export function humanDuration(seconds: number): string {
  const whole = Math.trunc(seconds);
  if (whole < 1) return "Less than a second";
  if (whole === 1) return "1 second";
  if (whole < 60) return `${whole} seconds`;
  return humanMinutes(Math.trunc(seconds / 60), Math.round(seconds / 3600));
}

function humanMinutes(minutes: number, hours: number): string {
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(hours / 24 / 365)} years`;
}

/** The STATUS column; `now` is nanoseconds since the epoch. */
export function statusOf(
  record: Pick<ContainerRecord, "state" | "exitCode" | "startedAt" | "finishedAt">,
  now: bigint,
): string {
  const since = (time: string): string => humanDuration(secondsBetween(time, now));
  switch (record.state) {
    case "running":
      return `Up ${since(record.startedAt)}`;
    case "paused":
      return `Up ${since(record.startedAt)} (Paused)`;
    case "restarting":
      return `Restarting (${record.exitCode}) ${since(record.finishedAt)} ago`;
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
    case "created":
      return "Created";
    case "exited":
      return record.finishedAt === zeroTime ? "Created" : `Exited (${record.exitCode}) ${since(record.finishedAt)} ago`;
  }
}

function secondsBetween(time: string, now: bigint): number {
  return Number(now - (parseTime(time) ?? now)) / 1e9;
}
