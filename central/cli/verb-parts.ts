// What the verbs of `central-command` are made of: options that several of them take, and how values are read.
import { InvalidArgumentError, Option, type Command } from 'commander';

const dataOption = () =>
  new Option('--data <dir>', 'folder of the server').env('CENTRAL_DATA').makeOptionMandatory(true);
export const storeOption = () =>
  new Option(
    '--evidence-store <place>',
    'where evidence is kept: folder, folder:immutable, or s3://bucket/prefix?region=…&endpoint=… (default: as chosen before)',
  ).env('CENTRAL_EVIDENCE_STORE');
export const keysOption = () =>
  new Option('--keys <dir>', 'folder of the root, content and operator keys (default: ~/.config/central-command)');
export const byOption = () => new Option('--by <account>', 'who does it (default: the account of this shell)');
export const jsonOption = () => new Option('--json', 'print JSON');

export function verb(parent: Command, nameAndArguments: string, description: string): Command {
  return parent.command(nameAndArguments).description(description).addOption(dataOption()).addOption(jsonOption());
}

export function group(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description);
}

export function wholeNumber(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError('must be a whole number');
  return Number(text);
}

export const collect = (value: string, all: string[] = []): string[] => [...all, value];
