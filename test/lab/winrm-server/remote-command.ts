// One command of the lab's WinRM server: what a handler sees of it, and the output that waits for a Receive.

/** What a command is to whoever carries it out. */
export interface CommandRun {
  /** Program and arguments as sent, joined by blanks. */
  readonly commandLine: string;
  readonly command: string;
  readonly args: readonly string[];
  /** All of stdin, once the client has closed it. Rejects when the command is ended before. */
  stdin(): Promise<Buffer>;
  /** Output as it comes; after the end of the command it is dropped. */
  write(stream: 'stdout' | 'stderr', data: Buffer | string): void;
  /** Aborted by ctrl_c, terminate or Delete; the reason is that word. */
  readonly signal: AbortSignal;
}

/** Carries out one command; the exit code comes back. A rejection is exit code 255 and its message on stderr. */
export type CommandHandler = (run: CommandRun) => Promise<number>;

/** Of a command that was ended by a signal, as Windows has it. */
const STATUS_CONTROL_C_EXIT = 0xc000013a;

export interface Output {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

export class RemoteCommand {
  readonly id: string;
  #output: Output[] = [];
  readonly #stdin: Buffer[] = [];
  readonly #controller = new AbortController();
  #stdinEnded: () => void = () => undefined;
  readonly #stdinEnd: Promise<void>;
  #wake: (() => void)[] = [];
  exitCode: number | null = null;

  constructor(id: string, command: string, args: readonly string[], handler: CommandHandler) {
    this.id = id;
    this.#stdinEnd = new Promise((resolve, reject) => {
      this.#stdinEnded = resolve;
      this.#controller.signal.addEventListener('abort', () => reject(new Error('ended')), { once: true });
    });
    this.#stdinEnd.catch(() => undefined);
    const run: CommandRun = {
      command,
      args,
      commandLine: [command, ...args].join(' '),
      stdin: async () => this.#stdinEnd.then(() => Buffer.concat(this.#stdin)),
      write: (stream, data) => this.#write(stream, Buffer.from(data as string)),
      signal: this.#controller.signal,
    };
    void this.#carryOut(run, handler);
  }

  feed(data: Buffer, end: boolean): void {
    this.#stdin.push(data);
    if (end) this.#stdinEnded();
  }

  end(how: string): void {
    this.#controller.abort(how);
  }

  /** Output of at most `limit` bytes, once there is some or the command has ended; null when nothing came in time. */
  async receive(withinMs: number, limit: number): Promise<{ output: Output[]; ended: boolean } | null> {
    if (this.#output.length === 0 && this.exitCode === null) await this.#change(withinMs);
    if (this.#output.length === 0 && this.exitCode === null) return null;
    const output: Output[] = [];
    let room = limit;
    while (this.#output.length > 0 && room > 0) {
      const { stream, data } = this.#output.shift()!;
      output.push({ stream, data: data.subarray(0, room) });
      if (data.length > room) this.#output.unshift({ stream, data: data.subarray(room) });
      room -= Math.min(room, data.length);
    }
    return { output, ended: this.exitCode !== null && this.#output.length === 0 };
  }

  async #carryOut(run: CommandRun, handler: CommandHandler): Promise<void> {
    let code: number;
    try {
      code = await Promise.race([handler(run), this.#killed()]);
    } catch (error) {
      this.#write('stderr', Buffer.from(String(error)));
      code = 255;
    }
    this.exitCode = code;
    this.#changed();
  }

  #killed(): Promise<number> {
    return new Promise((resolve) => {
      this.#controller.signal.addEventListener('abort', () => resolve(STATUS_CONTROL_C_EXIT), { once: true });
    });
  }

  #write(stream: 'stdout' | 'stderr', data: Buffer): void {
    if (this.exitCode !== null || data.length === 0) return;
    this.#output.push({ stream, data });
    this.#changed();
  }

  #change(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#wake.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #changed(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}
