/** `restart`: the stop signal, some seconds of patience, then SIGKILL; then it starts again. */
import { stopping } from "../stopping.ts";

export default stopping("restart", "Restart one or more containers");
