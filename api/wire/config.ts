/** Config as inspect gives it back, of a container and of an image. */
import type { Config } from "../../core/container/config.ts";
import type { ImageDefaults } from "../../core/image/image.ts";
import { orNull } from "./host-config.ts";

export function configToWire(config: Config) {
  return {
    Hostname: config.hostname,
    Domainname: config.domainname,
    User: config.user,
    AttachStdin: config.attachStdin,
    AttachStdout: config.attachStdout,
    AttachStderr: config.attachStderr,
    ...(config.exposedPorts.length > 0 ? { ExposedPorts: setToWire(config.exposedPorts) } : {}),
    Tty: config.tty,
    OpenStdin: config.openStdin,
    StdinOnce: config.stdinOnce,
    Env: orNull(config.env),
    Cmd: config.cmd,
    Image: config.image,
    Volumes: config.volumes.length === 0 ? null : setToWire(config.volumes),
    WorkingDir: config.workingDir,
    Entrypoint: config.entrypoint,
    OnBuild: null,
    Labels: config.labels,
    ...(config.stopSignal === null ? {} : { StopSignal: config.stopSignal }),
    ...(config.stopTimeoutSeconds === null ? {} : { StopTimeout: config.stopTimeoutSeconds }),
  };
}

export function imageConfigToWire(defaults: ImageDefaults) {
  return {
    Hostname: "",
    Domainname: "",
    User: defaults.user,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ...(defaults.exposedPorts.length > 0 ? { ExposedPorts: setToWire(defaults.exposedPorts) } : {}),
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: orNull(defaults.env),
    Cmd: defaults.cmd,
    Image: "",
    Volumes: defaults.volumes.length === 0 ? null : setToWire(defaults.volumes),
    WorkingDir: defaults.workingDir,
    Entrypoint: defaults.entrypoint,
    OnBuild: defaults.onBuild.length === 0 ? null : defaults.onBuild,
    Labels: Object.keys(defaults.labels).length === 0 ? null : defaults.labels,
    ...(defaults.stopSignal === null ? {} : { StopSignal: defaults.stopSignal }),
    ...(defaults.healthcheck === null ? {} : { Healthcheck: defaults.healthcheck }),
  };
}

/** A set is a map to nothing: {"80/tcp": {}}. */
function setToWire(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}
