// Every program that the agent or its units start: named by its place in the store, or as the machine's own choice. Their places
// stand in for Debian's here, so that each can be asked for its version.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TOOL_PATH } from '../../agent/system/exec.ts';
import { nixInstantiate, nixProblem } from '../../tools/evaluate-module.ts';
import { readGolden } from '../../tools/make-units.ts';
import { stripModule } from '../../tools/strip-types.ts';

const REPO = join(import.meta.dirname, '../..');
const problem = nixProblem();
const DEADLINE_MS = 30_000;
/** Names of programs that are only words where the agent writes them first in a list. */
const WORDS = new Set(['clear', 'timeout']);
/** Programs that know no `--version`, and what they are asked in its place. */
const ASKED_OTHERWISE: Readonly<Record<string, readonly string[]>> = {
  'systemd-cryptsetup': ['--help'],
  restic: ['version'],
};
/** Exit codes with which systemd-cryptsetup, which has no words of its own for that, says how it is used. */
const USAGE_CODES = [0, 1];

interface Tools {
  readonly shipped: Readonly<Record<string, readonly string[]>>;
  readonly ofTheMachine: Readonly<Record<string, string>>;
}
let tools: Tools;
beforeAll(() => {
  if (problem === null) tools = JSON.parse(nixInstantiate('--eval', '--strict', '--json', 'nix/tools.nix')) as Tools;
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};
const onDebian = (name: string): string | undefined =>
  TOOL_PATH.map((dir) => join(dir, name)).find((path) => isProgram(path));

/** Programs that stand first in a list of words in the agent, or behind a folder of programs, where it reads facts or runs something. */
function startedByAgent(): Set<string> {
  const found = new Set<string>();
  for (const file of readdirSync(join(REPO, 'agent'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.includes('developer')) continue;
    const text = readFileSync(join(REPO, 'agent', file), 'utf8');
    if (!file.startsWith('facts/') && !/deadlineMs|DEADLINE_MS|argv/.test(text)) continue;
    for (const [, name = ''] of text.matchAll(/(?:\[|run\(|Bin,)\s*'([a-z][a-z0-9-]+)'/g)) {
      if (!WORDS.has(name) && onDebian(name) !== undefined) found.add(name);
    }
  }
  return found;
}

describe('the programs that the agent starts', () => {
  it('are each named in nix/tools.nix, and nothing is named there that is not started', () => {
    const named = [...Object.values(tools.shipped).flat(), ...Object.keys(tools.ofTheMachine)];
    expect([...startedByAgent()].toSorted()).toEqual(named.toSorted());
  });

  it('are linked one by one into the package, which looks for them there before anywhere else', () => {
    const flake = JSON.parse(nixInstantiate('--eval', '--strict', '--json', 'nix/eval/flake.nix')) as {
      readonly install: string;
      readonly tools: string;
    };
    for (const [name, programs] of Object.entries(tools.shipped)) {
      for (const one of programs)
        expect(flake.tools).toContain(`ln -s /nix/store/${name}/bin/${one} $out/bin/${one}\n`);
    }
    // What the phase replaces is in the built file exactly once, and gives a list that begins in the store.
    const [, from = '', to = ''] = /exec\.js \\\n\s*--replace-fail "(.*?)" "(.*?)"\n/.exec(flake.install) ?? [];
    const built = stripModule(readFileSync(join(REPO, 'agent/system/exec.ts'), 'utf8'));
    expect(built.split(from)).toHaveLength(2);
    const list = /TOOL_PATH\s*=\s*(\[.*?\]);/.exec(built.replace(from, to))?.[1] ?? '';
    expect(list.replaceAll("'", '').slice(1).split(', ')[0]).toBe('/nix/store/compliance-agent-tools/bin');
  });

  it('each answers when it is asked for its version', () => {
    const names = Object.values(tools.shipped).flat();
    const answers = names.map((name) => {
      const path = onDebian(name) ?? `${name} is missing`;
      return [name, spawnSync(path, ['--version'], { timeout: DEADLINE_MS }).status];
    });
    expect(answers).toEqual(names.map((name) => [name, 0]));
  });
});

describe('the programs that the units of an appliance start', () => {
  /** Absolute paths in what the units execute or hand over, the agent itself left out. */
  const paths = (): string[] => {
    const units = Object.entries(readGolden()).filter(([name]) => name.endsWith('.service'));
    const values = units.flatMap(([, text]) =>
      [...text.matchAll(/^(?:Exec\w+|Environment)=(.*)$/gm)].map(([, value]) => value ?? ''),
    );
    const found = values.flatMap((value) => value.match(/\/(?:usr|nix)\/[a-z0-9./_-]+/g) ?? []);
    return [...new Set(found)].filter((path) => !path.endsWith('/bin'));
  };

  it('are all named by absolute paths: systemd looks nothing up', () => {
    const units = Object.entries(readGolden()).filter(([name]) => name.endsWith('.service'));
    const commands = units.flatMap(([, text]) =>
      [...text.matchAll(/^Exec\w+=[-+!:@]*(.*)$/gm)].map(([, line]) => line ?? ''),
    );
    expect(commands.length).toBeGreaterThan(10);
    expect(commands.filter((line) => !line.startsWith('/'))).toEqual([]);
  });

  it('each is there and answers', () => {
    const found = paths();
    expect(found).toEqual(expect.arrayContaining(['/usr/sbin/nft', '/usr/sbin/cryptsetup']));
    const answers = found.map((path) => {
      const name = path.slice(path.lastIndexOf('/') + 1);
      const { status } = spawnSync(path, ASKED_OTHERWISE[name] ?? ['--version'], { timeout: DEADLINE_MS });
      return [path, status !== null && USAGE_CODES.includes(status) && (status === 0 || name in ASKED_OTHERWISE)];
    });
    expect(answers).toEqual(found.map((path) => [path, true]));
  });
});
