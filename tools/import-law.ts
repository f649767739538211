// Holds a set of sources against the law of imports: forbidden arrows, packages away from home, unresolved files, cycles.
import { posix } from 'node:path';
import { readImports } from './read-imports.ts';
import {
  allowedRooms,
  CENTRAL_BECAUSE,
  CENTRAL_IMPORTS,
  INSTALLER_BECAUSE,
  INSTALLER_IMPORTS,
  PACKAGES,
  PURE_NODE_MODULES,
  ROOMS,
  type OtherHome,
  type Room,
  type RoomName,
} from './rooms.ts';

/** Path from the repository's root, with `/` → source text. */
export type Sources = ReadonlyMap<string, string>;

type AnyRoom = RoomName | OtherHome;

/** Room of a file: a room of the agent, `main` for agent/main.ts, `central`, `installer`, or null for what lies outside. */
export function roomOf(path: string): AnyRoom | null {
  if (path === 'agent/main.ts') return 'main';
  const [top, room] = path.split('/');
  if (top === 'central') return 'central';
  if (top === 'iso' && room === 'installer') return 'installer';
  if (top !== 'agent' || room === undefined || !Object.hasOwn(ROOMS, room)) return null;
  return room as RoomName;
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? specifier);
}

/** The problem with importing `specifier` from a file of `room`, or null. Relative ones are handled apart. */
function externalProblem(room: AnyRoom, specifier: string): string | null {
  if (specifier.startsWith('node:')) {
    const entry: Room | null = Object.hasOwn(ROOMS, room) ? ROOMS[room as RoomName] : null;
    if (entry?.pure !== true || PURE_NODE_MODULES.includes(specifier)) return null;
    return `${room} is pure and may not import ${specifier}`;
  }
  const homes = PACKAGES[packageOf(specifier)];
  if (homes === undefined) return `${specifier} is not in the table of packages`;
  return homes.includes(room) ? null : `${packageOf(specifier)} belongs to ${homes.join(', ')}, not to ${room}`;
}

function arrowProblem(room: AnyRoom, target: string): string | null {
  const other = roomOf(target);
  if (room === 'central') {
    if (other === 'central' || CENTRAL_IMPORTS.some((name) => name === other)) return null;
    return `central may not import ${other ?? target}: ${CENTRAL_BECAUSE}`;
  }
  if (room === 'installer') {
    if (other === 'installer' || INSTALLER_IMPORTS.some((name) => name === other)) return null;
    return `installer may not import ${other ?? target}: ${INSTALLER_BECAUSE}`;
  }
  if (other === null) return `${room} may not import ${target}: it lies in no room`;
  if (other === 'installer') return `${room} may not import the installer: ${INSTALLER_BECAUSE}`;
  if (other === 'central') return `${room} may not import central: the agent stands without its server`;
  if (room === 'main') return null;
  if (other === 'main') return `${room} may not import main.ts: it is composed there`;
  return allowedRooms(room).has(other) ? null : `${room} may not import ${other}: ${ROOMS[room].because}`;
}

/** Strongly connected groups of more than one node, or of one that points at itself (Tarjan). */
export function cyclesOf(edges: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (node: string): void => {
    const mine = index.size;
    index.set(node, mine);
    low.set(node, mine);
    stack.push(node);
    for (const next of edges.get(node) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(node, Math.min(low.get(node) ?? mine, low.get(next) ?? mine));
    }
    if (low.get(node) !== mine) return;
    const group = stack.splice(stack.indexOf(node));
    if (group.length > 1 || edges.get(node)?.has(node) === true) cycles.push(group.sort());
  };
  for (const node of edges.keys()) if (!index.has(node)) visit(node);
  return cycles;
}

/** Every breach of the law in `sources`, as `path:line problem`; empty when it holds. */
export function importProblems(sources: Sources): string[] {
  const problems: string[] = [];
  const files = new Map<string, Set<string>>();
  const rooms = new Map<string, Set<string>>();
  for (const [path, source] of sources) {
    const room = roomOf(path);
    if (room === null) {
      problems.push(`${path}:1 lies in no room of the table`);
      continue;
    }
    const edges = files.get(path) ?? new Set<string>();
    files.set(path, edges);
    for (const { specifier, line } of readImports(source)) {
      const at = `${path}:${line}`;
      if (specifier === null) {
        problems.push(`${at} imports a computed name, which no table can hold`);
        continue;
      }
      if (!specifier.startsWith('.')) {
        const problem = externalProblem(room, specifier);
        if (problem !== null) problems.push(`${at} ${problem}`);
        continue;
      }
      const target = posix.normalize(posix.join(posix.dirname(path), specifier));
      const problem = arrowProblem(room, target);
      if (problem !== null) problems.push(`${at} ${problem}`);
      if (target.endsWith('.json')) continue;
      if (!sources.has(target)) {
        problems.push(`${at} ${specifier} does not exist`);
        continue;
      }
      edges.add(target);
      const other = roomOf(target);
      if (other !== null && other !== room) rooms.set(room, (rooms.get(room) ?? new Set()).add(other));
    }
  }
  for (const group of cyclesOf(files)) problems.push(`files import each other in a circle: ${group.join(', ')}`);
  for (const group of cyclesOf(rooms)) problems.push(`rooms import each other in a circle: ${group.join(', ')}`);
  return problems;
}
