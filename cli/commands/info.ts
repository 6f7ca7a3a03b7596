/** `info`: the daemon, its machine and what it holds. */
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { formatObject } from "../format/object.ts";
import { binarySize } from "../format/units.ts";
import { version } from "../version.ts";

interface Info {
  readonly [name: string]: unknown;
  readonly DriverStatus?: readonly (readonly [string, string])[] | null;
  readonly Plugins?: Readonly<Record<string, readonly string[] | null>> | null;
  readonly Runtimes?: Readonly<Record<string, unknown>> | null;
  readonly SecurityOptions?: readonly string[] | null;
  readonly Warnings?: readonly string[] | null;
  readonly MemTotal?: number;
  readonly Swarm?: { readonly LocalNodeState?: string } | null;
}

export default command({
  usage: "[OPTIONS]",
  summary: "Display system-wide information",
  flags: { format: flag.text("f", "Format output using a custom template: 'json' or 'TEMPLATE'") },
  min: 0,
  max: 0,
  perform: async ({ options, client, ports }) => {
    const { terminal } = ports;
    const info = await client.get<Info>("/info");
    if (options.format !== "") {
      await terminal.stdout(formatObject({ ...info, ClientInfo: { Version: version } }, options.format));
      return 0;
    }
    await terminal.stdout(`Client:\n Version:    ${version}\n\nServer:\n${serverLines(info).join("\n")}\n\n`);
    for (const warning of info.Warnings ?? []) await terminal.stderr(`${warning}\n`);
    return 0;
  },
});

function serverLines(info: Info): string[] {
  const line = (title: string, name: string): string[] => [` ${title}: ${String(info[name] ?? "")}`];
  return [
    ...line("Containers", "Containers"),
    ...line(" Running", "ContainersRunning"),
    ...line(" Paused", "ContainersPaused"),
    ...line(" Stopped", "ContainersStopped"),
    ...line("Images", "Images"),
    ...line("Server Version", "ServerVersion"),
    ...line("Storage Driver", "Driver"),
    ...(info.DriverStatus ?? []).map(([name, value]) => `  ${name}: ${value}`),
    ...line("Logging Driver", "LoggingDriver"),
    ...line("Cgroup Driver", "CgroupDriver"),
    ...line("Cgroup Version", "CgroupVersion"),
    " Plugins:",
    ...(["Volume", "Network", "Log"] as const).map((name) => `  ${name}: ${(info.Plugins?.[name] ?? []).join(" ")}`),
    ` Swarm: ${info.Swarm?.LocalNodeState ?? "inactive"}`,
    ` Runtimes: ${Object.keys(info.Runtimes ?? {})
      .toSorted()
      .join(" ")}`,
    ...line("Default Runtime", "DefaultRuntime"),
    ...securityLines(info.SecurityOptions ?? []),
    ...line("Kernel Version", "KernelVersion"),
    ...line("Operating System", "OperatingSystem"),
    ...line("OSType", "OSType"),
    ...line("Architecture", "Architecture"),
    ...line("CPUs", "NCPU"),
    ` Total Memory: ${binarySize(info.MemTotal ?? 0)}`,
    ...line("Name", "Name"),
    ...line("ID", "ID"),
    ...line("Docker Root Dir", "DockerRootDir"),
    ...line("Debug Mode", "Debug"),
    ...line("Experimental", "ExperimentalBuild"),
    ...line("Live Restore Enabled", "LiveRestoreEnabled"),
  ];
}

/** "name=seccomp,profile=default" over two lines. */
function securityLines(options: readonly string[]): string[] {
  if (options.length === 0) return [];
  const lines = options.flatMap((option) => {
    const pairs = option.split(",").map((pair) => pair.split("="));
    return pairs.map(([key = "", value = ""]) =>
      key === "name" ? `  ${value}` : `   ${key[0]?.toUpperCase()}${key.slice(1)}: ${value}`,
    );
  });
  return [" Security Options:", ...lines];
}
