// One line of the bench table.
export interface BenchRow {
  readonly name: string;
  /** Median. */
  readonly value: number;
  readonly unit: string;
  readonly runs: number;
  /** Largest minus smallest, in `unit`. */
  readonly spread: number;
  /** What `ratio` compares with: the name of the row that is 1. */
  readonly against?: string;
  readonly ratio?: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle] ?? 0, sorted[middle] ?? 0];
  return (low + high) / 2;
}

export function rowOf(name: string, unit: string, values: readonly number[]): BenchRow {
  return { name, unit, value: median(values), runs: values.length, spread: Math.max(...values) - Math.min(...values) };
}
