/** The images that come with tsbox, by familiar name: they are loaded at the first use of their name. */
export const imageNames = ["hello", "tsbox/base", "alpine", "ubuntu", "httpd"] as const;

export type EmbeddedName = (typeof imageNames)[number];

/** These names mean other images on Docker Hub: here they are small stand-ins, for a machine that has no registry. */
const stoodFor: readonly EmbeddedName[] = ["alpine", "ubuntu", "httpd"];

/** null for the name of an image that does not come with tsbox. */
export function embeddedImage(name: string): EmbeddedName | null {
  return imageNames.find((each) => each === name) ?? null;
}

/** As `embeddedImage`, where a registry can be asked: a name that means another image there is left to it. */
export function ownImage(name: string): EmbeddedName | null {
  const image = embeddedImage(name);
  return image === null || stoodFor.includes(image) ? null : image;
}
