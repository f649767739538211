import { describe, it, expect } from 'vitest';
import { readFileSync } from 'node:fs';
import { cliDoc, helpOf, VERBS } from '../../../tools/make-cli-doc.ts';

const DOC = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8');

/** Names under "Commands:" in a help text. */
function commandsIn(help: string): string[] {
  const [, list = ''] = help.split('\nCommands:\n');
  return [...list.matchAll(/^ {2}([a-z]+)/gm)].map((match) => match[1] ?? '');
}

describe('docs/cli.md', () => {
  it('quotes the help of every verb as it is printed', async () => {
    expect(await cliDoc(DOC)).toBe(DOC);
  });

  it('leaves out no verb of the program', async () => {
    const found: string[] = [''];
    for (const name of commandsIn(await helpOf(''))) {
      const help = await helpOf(name);
      const inner = commandsIn(help);
      // A group may do something of its own, with an argument: then it is a verb too.
      const isVerb = inner.length === 0 || /^Usage: .*[<[](?!options|command)\w+/.test(help);
      found.push(...(isVerb ? [name] : []), ...inner.map((verb) => `${name} ${verb}`));
    }
    expect([...VERBS]).toEqual(found);
  });

  it('has a section and JSON fields for every verb that prints JSON', () => {
    for (const verb of VERBS.filter((name) => name !== '' && name !== 'run')) {
      const [, section = ''] = DOC.split(`\n## ${verb}\n`);
      expect(section.split('\n## ')[0], verb).toContain('JSON fields: `');
    }
  });
});
