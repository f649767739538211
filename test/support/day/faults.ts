// What can go wrong in a day, how it is made to go wrong, and what the daemon must have said of it.
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mode } from './fault-proxy.ts';

/** What was said while a fault lasted: codes of log lines, of blocking reasons, of stages and alerts; `check=result` of findings. */
export type Said = ReadonlySet<string>;

export interface Fault {
  readonly name: string;
  /** Any of these is a reason that names it. */
  readonly says: readonly string[];
  /** The process ends with it, or has to be started anew after it: only in the first part of the day. */
  readonly endsLife?: true;
  /** It is over as soon as it was named, since it holds the whole process up; others last for minutes, drawn. */
  readonly untilNamed?: true;
  /** Checks that must be `unknown` before it is over, and never `pass` from then on while it lasts. */
  readonly blinds?: string;
  begin(day: Day): unknown;
  end(day: Day): unknown;
}

/** The surroundings that faults change. */
export interface Day {
  readonly ports: { readonly html: number; readonly half: number; readonly otherCa: number };
  network(mode: Mode | 'central', o?: { readonly keep: boolean }): Promise<void>;
  stopCentral(): Promise<void>;
  startCentral(): Promise<void>;
  resolvesCentral(does: boolean): Promise<void>;
  /** The folder of tools of the daemon. */
  readonly tools: string;
  readonly disk: {
    fill(): void;
    useUpInodes(): void;
    free(): void;
    fail(): void;
    repair(): void;
    lock(): void;
    unlock(): void;
  };
  stepClock(seconds: number): void;
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  start(): Promise<void>;
}

const HOUR_S = 3_600;
/** Beyond what is taken of a tool. */
const FLOOD_MIB = 9;
const TOOL = 'nft';
const REAL_TOOL = '/usr/sbin/nft';

/** A connection that ended too soon is named by how far it had come. */
const LOST = ['connect_failed', 'tls_failed', 'response_truncated'];

const network = (name: string, says: readonly string[], mode: (day: Day) => Mode): Fault => ({
  name,
  says,
  begin: (day) => day.network(mode(day)),
  end: (day) => day.network('central'),
});

/** A program in the place of the real tool; null: nothing is there. */
function replaceTool({ tools }: Day, script: string | null): void {
  const path = join(tools, TOOL);
  rmSync(path, { force: true });
  if (script !== null) writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

function restoreTool(day: Day): void {
  replaceTool(day, null);
  symlinkSync(REAL_TOOL, join(day.tools, TOOL));
}

const tool = (name: string, script: string | null): Fault => ({
  name,
  says: ['firewall=unknown'],
  blinds: 'firewall',
  begin: (day) => replaceTool(day, script),
  end: restoreTool,
});

const clockStep = (name: string, seconds: number): Fault => ({
  name,
  says: ['clock_far_off', 'clock=fail'],
  begin: (day) => day.stepClock(seconds),
  end: (day) => day.stepClock(0),
});

export const FAULTS: readonly Fault[] = [
  network('nothing listens at the address of Central Command', ['connect_refused'], () => 'away'),
  network('Central Command takes connections and never answers', ['request_timeout'], () => 'silent'),
  network('connections to Central Command are reset', LOST, () => 'reset'),
  network('a web page in the place of Central Command', ['response_not_expected'], (day) => ({ to: day.ports.html })),
  network('Central Command sends half of a body', ['response_truncated'], (day) => ({ to: day.ports.half })),
  network('a server with the certificate of another CA', ['tls_untrusted'], (day) => ({ to: day.ports.otherCa })),
  {
    name: 'open connections to Central Command fall silent',
    says: ['request_timeout'],
    begin: (day) => day.network('silent', { keep: true }),
    end: (day) => day.network('central'),
  },
  {
    name: 'Central Command is killed, and started later',
    says: LOST,
    begin: (day) => day.stopCentral(),
    end: (day) => day.startCentral(),
  },
  {
    name: 'no name server knows Central Command',
    says: ['dns_failed'],
    begin: (day) => day.resolvesCentral(false),
    end: (day) => day.resolvesCentral(true),
  },
  tool('the tool of a probe is missing', null),
  tool('the tool of a probe hangs', 'exec sleep 100000'),
  tool('the tool of a probe ignores the signal to end', "trap '' TERM INT HUP\nwhile :; do sleep 1; done"),
  tool('the tool of a probe floods', `exec head -c ${FLOOD_MIB * 1_048_576} /dev/zero`),
  tool('the tool of a probe prints garbage', 'echo "{"'),
  {
    name: 'the disk is full',
    says: ['store_full', 'disk=fail'],
    begin: (day) => day.disk.fill(),
    end: (day) => day.disk.free(),
  },
  {
    name: 'the disk has no inodes left',
    says: ['disk=fail'],
    begin: (day) => day.disk.useUpInodes(),
    end: (day) => day.disk.free(),
  },
  {
    name: 'another process holds the database locked',
    says: ['store_busy'],
    // Each try to write waits five real seconds, with all else in the process.
    untilNamed: true,
    begin: (day) => day.disk.lock(),
    end: (day) => day.disk.unlock(),
  },
  clockStep('the clock is an hour ahead', HOUR_S),
  clockStep('the clock is an hour behind', -HOUR_S),
  {
    name: 'the disk became read-only under the daemon',
    says: ['store_read_only', 'store_io'],
    endsLife: true,
    begin: (day) => day.disk.fail(),
    async end(day) {
      await day.kill('SIGTERM');
      day.disk.repair();
      await day.start();
    },
  },
  {
    name: 'the process is killed',
    says: ['started'],
    endsLife: true,
    begin: (day) => day.kill('SIGKILL'),
    end: (day) => day.start(),
  },
  {
    name: 'the process is restarted',
    says: ['started'],
    endsLife: true,
    begin: (day) => day.kill('SIGTERM'),
    end: (day) => day.start(),
  },
];
