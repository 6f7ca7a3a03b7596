/** The limits of a container as the user gives them. core/container/config.ts holds the same shape. */
export interface Resources {
  /** 0: unlimited. */
  readonly memoryBytes: number;
  /** Memory and swap together; 0: twice the memory, -1: unlimited swap. */
  readonly memorySwapBytes: number;
  readonly memoryReservationBytes: number;
  /** 1e9 is one processor; 0: unlimited. */
  readonly nanoCpus: number;
  readonly cpuShares: number;
  readonly cpuPeriodMicros: number;
  readonly cpuQuotaMicros: number;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  /** 0 or -1: unlimited. */
  readonly pidsLimit: number;
  readonly blkioWeight: number;
}

/** The ulimits(1) names docker takes; -1 is unlimited. */
export interface Ulimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}
