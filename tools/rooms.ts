// The law of imports, in one table: what each room is for, which rooms and packages it may import, and why. The linter's
// configuration (tools/make-lint.ts) is generated from it and test/unit/house/imports.test.ts holds every import against it.

/** What one room of `agent/` may import. Every room may import itself and `errors`. */
export interface Room {
  /** Rooms of `agent/` that it may import, `import type` included. */
  readonly imports: readonly string[];
  /** Why there are no more arrows; the linter prints it. One sentence. */
  readonly because: string;
  /** True for a room that only decides: no clock, files, network or processes of Node. */
  readonly pure?: true;
}

export const ROOMS = {
  errors: { imports: [], because: 'every room speaks of errors, so errors speak of no room', pure: true },
  wire: {
    imports: [],
    because: 'formats stand alone, so that another implementation can be held against them',
    pure: true,
  },
  system: { imports: [], because: 'ports to the surroundings know nothing of what they are used for' },
  https: { imports: ['system'], because: 'the one HTTPS client carries bytes and does not know what they mean' },
  store: {
    imports: ['system'],
    because: 'the store keeps strings and numbers; their meaning belongs to the rooms that write them',
  },
  trust: {
    imports: ['wire'],
    because: 'who may sign what is judged from values alone; callers persist the outcome',
    pure: true,
  },
  verify: {
    imports: ['wire', 'trust'],
    because: 'an auditor runs the verification without any other part of the agent',
    pure: true,
  },
  report: {
    imports: ['wire', 'trust', 'verify'],
    because:
      'what a bundle says to people is made from verified entries alone, on the appliance and at Central Command',
    pure: true,
  },
  bundle: {
    imports: ['wire', 'trust', 'verify', 'report', 'system'],
    because: 'a bundle is written and read the same way wherever the entries come from',
  },
  config: { imports: ['system', 'wire'], because: 'configuration is read before anything else exists' },
  identity: {
    imports: ['system', 'wire', 'trust', 'store', 'https', 'config'],
    because: 'enrolment comes before evidence, checks and orders and must work without them',
  },
  evidence: {
    imports: ['system', 'wire', 'trust', 'store', 'identity', 'verify'],
    because: 'the log records what the other rooms hand to it and calls none of them',
  },
  facts: { imports: ['system'], because: 'probes also run as root oneshots, where nothing but the ports exists' },
  checks: {
    imports: ['facts', 'wire', 'trust'],
    because: 'a check judges facts that were read before; it reads nothing itself',
    pure: true,
  },
  guards: {
    imports: ['wire', 'trust'],
    because: 'a guard decides from values; it can neither act nor remember',
    pure: true,
  },
  targets: {
    imports: ['system', 'wire', 'store'],
    because: 'credentials in memory are kept apart from everything that could write them down',
  },
  winrm: { imports: ['system'], because: 'the protocol does not know what it is used for' },
  execution: {
    imports: ['system', 'wire', 'trust', 'store', 'facts', 'checks', 'guards', 'targets', 'winrm', 'evidence'],
    because: 'running a runbook must not depend on who asked for it',
  },
  outputs: {
    imports: ['system', 'wire', 'trust', 'store', 'evidence', 'https'],
    because: 'outputs carry away what is recorded and steer nothing',
  },
  healing: {
    imports: [
      'system',
      'wire',
      'trust',
      'store',
      'facts',
      'checks',
      'guards',
      'execution',
      'evidence',
      'outputs',
      'https',
    ],
    because: 'healing decides and executes; it neither talks to Central Command nor holds credentials',
  },
  orders: {
    imports: ['system', 'wire', 'trust', 'guards', 'store', 'evidence'],
    because: 'the journal dispatches to handlers that are injected, so that no order kind is known here',
  },
  uplink: {
    imports: ['system', 'wire', 'trust', 'store', 'identity', 'evidence', 'targets', 'https'],
    because: 'results and health are handed in, so that a check-in never waits for a check or an order',
  },
  helpers: {
    imports: ['system', 'wire', 'trust', 'guards', 'facts', 'checks'],
    because: 'privileged oneshots hold no SQLite and no network',
  },
  egress: {
    imports: ['system', 'wire', 'trust', 'config', 'identity', 'facts', 'helpers'],
    because: "doors are opened by root's own files and signed policy, and by nothing that the daemon says or stores",
  },
  daemon: {
    imports: ['*', '!cli'],
    because: 'the daemon composes the rooms; the command line is not one of its parts',
  },
  cli: {
    imports: ['*', '!daemon'],
    because: 'a command reads and leaves control files; the daemon is handed in for `run` only',
  },
} as const satisfies Record<string, Room>;

export type RoomName = keyof typeof ROOMS;
export const ROOM_NAMES = Object.keys(ROOMS) as RoomName[];

/** Rooms of the agent that Central Command may import, and nothing else of it. */
export const CENTRAL_IMPORTS: readonly RoomName[] = [
  'errors',
  'wire',
  'trust',
  'verify',
  'report',
  'bundle',
  'checks',
  'guards',
];
export const CENTRAL_BECAUSE =
  'the server shares formats, their verification and what is shown of them with the agent, nothing that acts';

/** Rooms of the agent that the installer (iso/installer) may import, and nothing else of it. */
export const INSTALLER_IMPORTS: readonly RoomName[] = ['errors', 'wire', 'trust', 'system'];
export const INSTALLER_BECAUSE =
  'the installer runs from a stick before there is an appliance; no room of the agent may know of it';

/** Who else may import a package than the rooms of the agent. */
export type OtherHome = 'central' | 'main' | 'installer';

/**
 * Where each npm package may be imported. A package with one home can be replaced in one place, and the appliance's tree
 * is not widened by accident. `central`, `main` and
 * `installer` count as rooms here.
 */
export const PACKAGES: Readonly<Record<string, readonly (RoomName | OtherHome)[]>> = {
  '@aws-sdk/client-s3': ['central'],
  '@hpke/core': ['wire', 'central'],
  '@noble/ed25519': ['wire', 'trust'],
  '@noble/hashes': ['wire', 'trust'],
  '@peculiar/x509': ['central'],
  'age-encryption': ['central'],
  'better-sqlite3': ['store', 'central'],
  commander: ['cli', 'central'],
  fastify: ['central'],
  koffi: ['system', 'winrm'],
  'node-cron': ['system'],
  nodemailer: ['outputs'],
  pino: ['system', 'central'],
  qr: ['cli', 'daemon'],
  re2js: ['healing'],
  'reflect-metadata': ['central'],
  systeminformation: ['facts'],
  undici: ['https'],
  valibot: [
    'wire',
    'trust',
    'guards',
    'config',
    'identity',
    'facts',
    'checks',
    'orders',
    'uplink',
    'system',
    'targets',
    'execution',
    'helpers',
    'egress',
    'healing',
    'outputs',
    'daemon',
    'cli',
    'central',
    'installer',
  ],
  yaml: ['config', 'identity', 'checks', 'execution', 'healing', 'central'],
};

/** Modules of Node that a pure room may import: they compute and touch nothing. */
export const PURE_NODE_MODULES: readonly string[] = ['node:crypto', 'node:buffer', 'node:util'];

/**
 * Modules of Node that touch the surroundings, for the linter: its patterns know no "all but". The test of imports goes by
 * {@link PURE_NODE_MODULES} alone.
 */
export const IMPURE_NODE_MODULES: readonly string[] = (
  'async_hooks child_process cluster console dgram diagnostics_channel dns events fs http http2 https inspector module net ' +
  'os path perf_hooks process readline repl sqlite stream test timers tls tty url v8 vm wasi worker_threads zlib'
).split(' ');

/** Rooms of the agent that `room` may import, itself included; `*` and `!x` of the table resolved. */
export function allowedRooms(room: RoomName): ReadonlySet<RoomName> {
  const entry: Room = ROOMS[room];
  const names = new Set<RoomName>(['errors', room]);
  for (const item of entry.imports) {
    if (item === '*') for (const every of ROOM_NAMES) names.add(every);
  }
  for (const item of entry.imports) {
    if (item.startsWith('!')) names.delete(item.slice(1) as RoomName);
    else if (item !== '*') names.add(item as RoomName);
  }
  return names;
}
