/** `port`: which ports of the host lead to a container. */
import { segment } from "../client.ts";
import { command } from "../command.ts";
import { CliError } from "../errors.ts";
import type { ContainerInspect, PortBinding } from "../wire.ts";

export default command({
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  summary: "List port mappings or a specific mapping for the container",
  flags: {},
  min: 1,
  max: 2,
  perform: async ({ args: [container = "", port], client, ports }) => {
    const { NetworkSettings } = await client.get<ContainerInspect>(`/containers/${segment(container)}/json`);
    const bindings = NetworkSettings.Ports ?? {};
    const lines = port === undefined ? all(bindings) : one(bindings, port, container);
    await ports.terminal.stdout(lines.map((line) => `${line}\n`).join(""));
    return 0;
  },
});

type Bindings = NonNullable<ContainerInspect["NetworkSettings"]["Ports"]>;

function all(bindings: Bindings): string[] {
  return Object.entries(bindings)
    .flatMap(([from, to]) => (to ?? []).map((each) => `${from} -> ${address(each)}`))
    .toSorted();
}

function one(bindings: Bindings, port: string, container: string): string[] {
  const key = port.includes("/") ? port : `${port}/tcp`;
  const to = bindings[key];
  if (to == null) throw new CliError(`Error: No public port '${port}' published for ${container}`);
  return to.map(address);
}

function address({ HostIp, HostPort }: PortBinding): string {
  return `${HostIp.includes(":") ? `[${HostIp}]` : HostIp}:${HostPort}`;
}
