/**
 * Ownership: what makes a persistent structure as quick as a mutable one. Whoever may change a
 * structure holds an owner token, and every node remembers the token it was made under. A node of
 * one's own is changed in place, for nobody else can see it; any other is copied first. Taking a
 * snapshot is no more than getting a new token: from then on no existing node is one's own.
 */
export class Owner {
  /** Only so that no other object is taken for an owner. */
  readonly isOwner = true;
}

/** The owner of what nobody may change in place. */
export const nobody: Owner = new Owner();
