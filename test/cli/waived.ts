/** Where tsbox means to differ from the docker client, and why. */
export const waived: Readonly<Record<string, string>> = {
  "images a b": "docker's text has a slip of the pen: SRun",
  "inspect --type image zzz": "docker's text says the same twice",
  "inspect --type foo zzz": "tsbox knows fewer types of objects",
};
