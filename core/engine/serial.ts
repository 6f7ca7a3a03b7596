/** A queue of jobs that run one after the other: the operations on one container do. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `job` when the jobs before it have ended, however they ended. */
  run<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#last.then(job, job);
    this.#last = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }
}
