// Collects the two output streams up to a cap each.

export class CappedOutput {
  readonly #capBytes: number;
  readonly #streams = { stdout: { parts: [] as Buffer[], length: 0 }, stderr: { parts: [] as Buffer[], length: 0 } };
  #truncated = false;

  constructor(capBytes: number) {
    this.#capBytes = capBytes;
  }

  /** Keeps what fits; what is beyond is dropped and said. */
  add(name: 'stdout' | 'stderr', data: Buffer): void {
    const stream = this.#streams[name];
    const room = this.#capBytes - stream.length;
    if (data.length > room) this.#truncated = true;
    const kept = data.subarray(0, Math.max(0, room));
    if (kept.length === 0) return;
    stream.parts.push(kept);
    stream.length += kept.length;
  }

  get truncated(): boolean {
    return this.#truncated;
  }

  result(): { stdout: Buffer; stderr: Buffer; truncated: boolean } {
    const { stdout, stderr } = this.#streams;
    return { stdout: Buffer.concat(stdout.parts), stderr: Buffer.concat(stderr.parts), truncated: this.#truncated };
  }
}
