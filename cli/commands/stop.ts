/** `stop`: the stop signal, some seconds of patience, then SIGKILL. */
import { stopping } from "../stopping.ts";

export default stopping("stop", "Stop one or more running containers");
