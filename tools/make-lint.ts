// Writes .oxlintrc.json from the table of rooms. `--check` writes nothing and fails when the file is stale.
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { writeOrCheck } from './generated-doc.ts';
import {
  allowedRooms,
  CENTRAL_BECAUSE,
  CENTRAL_IMPORTS,
  INSTALLER_BECAUSE,
  INSTALLER_IMPORTS,
  PACKAGES,
  IMPURE_NODE_MODULES,
  ROOMS,
  ROOM_NAMES,
} from './rooms.ts';
import type { OtherHome, Room, RoomName } from './rooms.ts';

const FILE = new URL('../.oxlintrc.json', import.meta.url);

interface Pattern {
  readonly regex: string;
  readonly message: string;
}

const anyOf = (names: readonly string[]): string =>
  `(?:${names.map((name) => name.replace(/[/.]/g, '\\$&')).join('|')})`;

function packagePatterns(room: RoomName | OtherHome): Pattern[] {
  return Object.entries(PACKAGES)
    .filter(([, homes]) => !homes.includes(room))
    .map(([name, homes]) => ({
      regex: `^${anyOf([name])}(?:/|$)`,
      message: `${name} belongs to ${homes.join(', ')}.`,
    }));
}

function roomPatterns(room: RoomName): Pattern[] {
  const entry: Room = ROOMS[room];
  const allowed = allowedRooms(room);
  const forbidden = ROOM_NAMES.filter((name) => !allowed.has(name));
  const patterns: Pattern[] = [
    { regex: String.raw`^(?:\.\./)+central/`, message: 'The agent stands without its server.' },
    { regex: String.raw`^(?:\.\./)+iso/`, message: `installer: ${INSTALLER_BECAUSE}.` },
    ...packagePatterns(room),
  ];
  if (forbidden.length > 0) {
    patterns.push({ regex: String.raw`^(?:\.\./)+${anyOf(forbidden)}/`, message: `${room}: ${entry.because}.` });
  }
  if (entry.pure === true) {
    patterns.push({
      regex: `^(?:node:)?${anyOf(IMPURE_NODE_MODULES)}(?:/|$)`,
      message: `${room} is pure: no clock, files, network, processes.`,
    });
  }
  return patterns;
}

const restricted = (patterns: readonly Pattern[]) => ({ 'no-restricted-imports': ['error', { patterns }] });

/** Rules beyond oxlint's `correctness` category, each chosen for a mistake that costs dearly in a daemon. */
const RULES = {
  'typescript/no-floating-promises': 'error',
  'typescript/no-misused-promises': 'error',
  'typescript/await-thenable': 'error',
  'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
  'typescript/only-throw-error': 'error',
  'typescript/prefer-promise-reject-errors': ['error', { allowThrowingAny: true, allowThrowingUnknown: true }],
  'typescript/no-unnecessary-type-assertion': 'error',
  'typescript/no-explicit-any': 'error',
  'typescript/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
  'typescript/unbound-method': 'off',
  'typescript/no-meaningless-void-operator': 'off',
  'typescript/no-base-to-string': 'off',
  'typescript/require-array-sort-compare': 'off',
  // Taste, and wrong here: `...(x === undefined ? {} : { x })` is how an optional field is left out.
  'unicorn/no-useless-spread': 'off',
  'unicorn/no-useless-fallback-in-spread': 'off',
  'unicorn/prefer-string-starts-ends-with': 'off',
  eqeqeq: ['error', 'always', { null: 'ignore' }],
  'no-var': 'error',
  'prefer-const': 'error',
} as const;

/** The whole configuration as text, in the form that the formatter gives it. */
export async function lintConfig(): Promise<string> {
  const config = {
    $schema: './node_modules/oxlint/configuration_schema.json',
    plugins: ['typescript', 'unicorn', 'oxc', 'import'],
    categories: { correctness: 'error' },
    options: { typeAware: true, denyWarnings: true },
    ignorePatterns: ['node_modules', 'test/vectors', 'test/fixtures'],
    rules: RULES,
    overrides: [
      ...ROOM_NAMES.map((room) => ({ files: [`agent/${room}/**/*.ts`], rules: restricted(roomPatterns(room)) })),
      {
        files: ['central/**/*.ts'],
        rules: restricted([
          {
            regex: String.raw`^(?:\.\./)+agent/${anyOf([...ROOM_NAMES.filter((name) => !CENTRAL_IMPORTS.includes(name)), 'main.ts'])}`,
            message: `central: ${CENTRAL_BECAUSE}.`,
          },
          ...packagePatterns('central'),
        ]),
      },
      {
        files: ['iso/installer/**/*.ts'],
        rules: restricted([
          { regex: String.raw`^(?:\.\./)+central/`, message: `installer: ${INSTALLER_BECAUSE}.` },
          {
            regex: String.raw`^(?:\.\./)+agent/${anyOf([...ROOM_NAMES.filter((name) => !INSTALLER_IMPORTS.includes(name)), 'main.ts'])}`,
            message: `installer: ${INSTALLER_BECAUSE}.`,
          },
          ...packagePatterns('installer'),
        ]),
      },
      { files: ['test/**/*.ts'], rules: { 'typescript/no-explicit-any': 'off' } },
    ],
  };
  return format(JSON.stringify(config, null, 2), { ...(await resolveConfig(FILE)), parser: 'json' });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeOrCheck(FILE, await lintConfig(), process.argv);
