/**
 * A Dockerfile out of an image's history. What each step ran is in the history; which files COPY took
 * and what the base was called is not, so the result says what it cannot know.
 */
import type { ImageHistoryStep, ImageInspect } from "./wire.ts";

/** `steps`: newest first, as the API gives them. */
export function dockerfileOf(steps: readonly ImageHistoryStep[], image: ImageInspect): string {
  const lines = steps.toReversed().flatMap(({ CreatedBy, Comment }) => instructionOf(CreatedBy, Comment));
  const begin = ["FROM scratch", "# from the history of " + image.Id + "; what COPY and ADD took is not in it"];
  return `${[...begin, ...(lines.length > 0 ? lines : configLines(image))].join("\n")}\n`;
}

/** The classic builder writes "/bin/sh -c #(nop)  CMD [...]", BuildKit "CMD [...]" and "RUN ... # buildkit". */
function instructionOf(createdBy: string, comment: string): string[] {
  const text = createdBy.replace(/\s+# buildkit$/, "").trim();
  if (text === "") return [`# a layer of which is only told: ${comment || "nothing"}`];
  const [, metadata] = /^(?:\S*\/sh|\S+) -c #\(nop\)\s+([\s\S]*)$/.exec(text) ?? [];
  if (metadata !== undefined) return [copied(metadata.trim())];
  const [, args, shell] = /^(?:RUN )?(?:\|\d+ (.*?) )?\/bin\/sh -c ([\s\S]*)$/.exec(text) ?? [];
  if (shell !== undefined) return [...(args === undefined ? [] : [`# with ARG ${args}`]), `RUN ${shell.trim()}`];
  return [/^[A-Z]+ /.test(text) ? copied(text) : `# ${text.replaceAll("\n", "\n# ")}`];
}

/** "COPY file:0123… in /app": the digest stands where the source stood. */
function copied(line: string): string {
  const [, word, digest, target] = /^(ADD|COPY) (?:multi|file|dir):([0-9a-f]+) in (\S+)\s*$/.exec(line) ?? [];
  return word === undefined ? line : `${word} <content ${digest?.slice(0, 12)}> ${target}`;
}

/** Without a history the configuration still says how it is to be run. */
function configLines({ Config }: ImageInspect): string[] {
  const { Env, User, WorkingDir, Entrypoint, Cmd } = Config;
  return [
    "# no history: what is below follows from the configuration",
    ...(Env ?? []).map((variable) => `ENV ${variable}`),
    ...(User ? [`USER ${User}`] : []),
    ...(WorkingDir ? [`WORKDIR ${WorkingDir}`] : []),
    ...(Entrypoint ? [`ENTRYPOINT ${JSON.stringify(Entrypoint)}`] : []),
    ...(Cmd ? [`CMD ${JSON.stringify(Cmd)}`] : []),
  ];
}
