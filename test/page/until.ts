/** Waits for what a page will do by itself; fails with what `otherwise` says when it does not within half a minute. */
export async function until(condition: () => boolean, otherwise: () => string = () => "waited in vain"): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 3000) throw new Error(otherwise());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
