// One clock for all processes of a storm: CLOCK_MONOTONIC, which every process of a machine shares, in milliseconds.

/** @returns {number} to a few nanoseconds; of two instants the later one never gives the smaller number */
export const nowMs = () => Number(process.hrtime.bigint()) / 1e6
