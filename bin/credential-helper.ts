/**
 * Runs Docker's credential helpers: "docker-credential-NAME get|store|erase", what to do it with on
 * standard input, the answer on standard output, words for a person on either when it fails
 * (docker-credential-helpers: README, "Development").
 */
import { spawn } from "node:child_process";
import type { CredentialHelper } from "../cli/ports.ts";
import { TsboxError } from "../core/base/error.ts";

export const runCredentialHelper: CredentialHelper = (name, action, input) => {
  const program = `docker-credential-${name}`;
  const child = spawn(program, [action], { stdio: ["pipe", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => void chunks.push(chunk));
  // A helper may end without reading what it was told.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on("error", (problem) =>
      reject(new TsboxError("failed", `cannot run ${program}: ${problem.message}; your Docker config names it`)),
    );
    child.on("close", (code) => {
      const output = Buffer.concat(chunks).toString("utf8").trim();
      if (code === 0) resolve(output);
      else reject(new TsboxError("failed", `${program} ${action}: ${output === "" ? `exit code ${code}` : output}`));
    });
  });
};
