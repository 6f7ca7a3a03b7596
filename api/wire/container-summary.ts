/** One line of GET /containers/json. */
import type { ContainerRecord } from "../../core/container/record.ts";
import { statusOf } from "../../core/container/status.ts";
import { mountPointToWire } from "./container-inspect.ts";
import { unixSeconds } from "./image.ts";
import { effectiveNetworkMode, endpointsOf } from "./network.ts";

export function containerSummary(record: ContainerRecord, now: bigint) {
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: record.config.image,
    ImageID: record.image,
    Command: commandText(record),
    Created: unixSeconds(record.createdAt),
    Ports: [],
    Labels: record.config.labels,
    State: record.state,
    Status: statusOf(record, now),
    HostConfig: { NetworkMode: effectiveNetworkMode(record.hostConfig.networkMode) },
    NetworkSettings: { Networks: endpointsOf(record) },
    Mounts: record.mounts.map(mountPointToWire),
  };
}

export type ContainerSummary = ReturnType<typeof containerSummary>;

/** Path and arguments; one with a space stands in quotes. */
function commandText(record: ContainerRecord): string {
  const quoted = record.args.map((argument) => (argument.includes(" ") ? `'${argument}'` : argument));
  return [record.path, ...quoted].join(" ");
}
