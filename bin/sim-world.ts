/**
 * `tsboxd --backend sim`: the engine on a simulated machine in this process. Nothing of it is on disk,
 * it ends with the daemon. A virtual second takes a real one; requests are admitted between two turns
 * of the simulated kernel, each whole, so that the kernel's step says when it came.
 */
import type { Api } from "../api/http.ts";
import { linuxPorts } from "../backends/linux/ports.ts";
import { bootHost } from "../backends/sim/host.ts";
import type { Kernel, Loader } from "../backends/sim/kernel/kernel.ts";
import { real } from "../backends/sim/kernel/pace.ts";
import { SimMachine } from "../backends/sim/machine.ts";
import { simPorts } from "../backends/sim/ports.ts";
import { seededRandom } from "../backends/sim/random.ts";
import { standIn } from "../backends/sim/userland/programs.ts";
import { webAssemblyLoader } from "../backends/sim/wasm/loader.ts";
import { type ByteStream, readAll, streamOf } from "../core/base/bytes.ts";
import type { World } from "./world.ts";

const bodyBytesMax = 4 * 1024 ** 3;

export function openSimWorld(seed: number): World {
  const loader: Loader = { standIn, webAssembly: webAssemblyLoader({ hasher: linuxPorts.hasher }) };
  const now = linuxPorts.clock.now();
  const kernel = bootHost({ now, random: seededRandom(seed), pace: real(pause, linuxPorts.clock, now), loader });
  return {
    machine: SimMachine.open(kernel),
    ports: simPorts(kernel, linuxPorts),
    bootId: `simulated-${seed}-${now}`,
    hostName: kernel.init.namespaces.uts.hostname,
    operatingSystem: "tsbox simulated Linux",
    idFile: null,
    admitted: (api) => admitted(kernel, api),
  };
}

const pause = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

function admitted(kernel: Kernel, api: Api): Api {
  return async (request) => {
    const body = await readAll(request.body, bodyBytesMax);
    await kernel.turns.admitted();
    const answer = await api({ ...request, body: streamOf(body) });
    if (answer.kind === "reply") return answer;
    return { ...answer, duplex: (input) => answer.duplex(chunksAdmitted(kernel, input)) };
  };
}

async function* chunksAdmitted(kernel: Kernel, input: ByteStream): ByteStream {
  for await (const chunk of input) {
    await kernel.turns.admitted();
    yield chunk;
  }
  await kernel.turns.admitted();
}
