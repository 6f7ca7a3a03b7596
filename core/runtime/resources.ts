/** The limits of a container as the user gives them. */
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

export const unlimited: Resources = {
  memoryBytes: 0,
  memorySwapBytes: 0,
  memoryReservationBytes: 0,
  nanoCpus: 0,
  cpuShares: 0,
  cpuPeriodMicros: 0,
  cpuQuotaMicros: 0,
  cpusetCpus: "",
  cpusetMems: "",
  pidsLimit: 0,
  blkioWeight: 0,
};
