/** `update`: changes the limits and the restart policy of containers. */
import { segment } from "../client.ts";
import { command, forEachArgument } from "../command.ts";
import { CliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { createFlags } from "../run-options.ts";
import { parseRestart } from "../values/mounts.ts";

export default command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Update configuration of one or more containers",
  flags: {
    "blkio-weight": flag.integer(null, "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)"),
    "cpu-period": createFlags["cpu-period"],
    "cpu-quota": createFlags["cpu-quota"],
    "cpu-shares": createFlags["cpu-shares"],
    cpus: createFlags.cpus,
    "cpuset-cpus": createFlags["cpuset-cpus"],
    "cpuset-mems": createFlags["cpuset-mems"],
    memory: createFlags.memory,
    "memory-reservation": createFlags["memory-reservation"],
    "memory-swap": createFlags["memory-swap"],
    "pids-limit": createFlags["pids-limit"],
    restart: flag.text(null, "Restart policy to apply when a container exits"),
  },
  min: 1,
  max: Number.POSITIVE_INFINITY,
  perform: (call) => {
    const { options, given, client } = call;
    if (given.size === 0) throw new CliError("you must provide one or more flags when using this command");
    const body = {
      BlkioWeight: options["blkio-weight"],
      CpuPeriod: options["cpu-period"],
      CpuQuota: options["cpu-quota"],
      CpuShares: options["cpu-shares"],
      NanoCpus: options.cpus,
      CpusetCpus: options["cpuset-cpus"],
      CpusetMems: options["cpuset-mems"],
      Memory: options.memory,
      MemoryReservation: options["memory-reservation"],
      MemorySwap: options["memory-swap"],
      PidsLimit: options["pids-limit"],
      RestartPolicy: parseRestart(options.restart),
    };
    return forEachArgument(call, async (container) => {
      await client.post(`/containers/${segment(container)}/update`, {}, body);
      return container;
    });
  },
});
