// Holds responses of Central Command against central/openapi.yaml, errors included.
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';

interface Response {
  readonly method: string;
  /** Path without query. */
  readonly path: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

interface Api {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}
interface Operation {
  readonly responses: Readonly<Record<string, unknown>>;
}
interface ResponseObject {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly content: Readonly<Record<string, unknown>>;
}

const api = parse(readFileSync(new URL('../../central/openapi.yaml', import.meta.url), 'utf8')) as Api;
const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema({ $id: 'openapi', ...api });

/** Throws unless the response is one that the contract describes: status, media type, headers, body. */
export function checkResponse(response: Response): void {
  const where = `${response.method} ${response.path} → ${response.status}`;
  const type = String(response.headers['content-type'] ?? '').split(';')[0];
  const described = findResponse(response);
  if (described === null) {
    // Addresses and methods outside of the contract still answer with a problem document.
    if (![400, 404, 405, 421].includes(response.status)) throw new Error(`${where}: not in the contract`);
    if (type !== 'application/problem+json') throw new Error(`${where}: no problem document`);
    check('#/components/schemas/problem', JSON.parse(response.body), where);
    return;
  }
  const { pointer, object } = described;
  for (const name of Object.keys(object.headers)) {
    const value = response.headers[name.toLowerCase()];
    if (value === undefined) throw new Error(`${where}: header ${name} is missing`);
    check(`${pointerOf(object.headers[name])}/schema`, value, `${where}: ${name}`);
  }
  if (!(String(type) in object.content)) throw new Error(`${where}: content type ${type}`);
  check(
    `${pointer}/content/${escape(String(type))}/schema`,
    type === 'application/pem-certificate-chain' || type === 'application/octet-stream'
      ? response.body
      : JSON.parse(response.body),
    where,
  );
}

function findResponse(response: Response): { pointer: string; object: ResponseObject } | null {
  for (const [template, operations] of Object.entries(api.paths)) {
    const pattern = new RegExp(`^${template.replaceAll(/\{[a-z]+\}/g, '[^/]+')}$`);
    if (!pattern.test(response.path)) continue;
    const method = response.status === 405 ? Object.keys(operations)[0] : response.method.toLowerCase();
    const reference = operations[String(method)]?.responses[String(response.status)];
    if (reference === undefined) return null;
    const pointer = pointerOf(reference);
    return { pointer, object: resolve(pointer) as ResponseObject };
  }
  return null;
}

function check(pointer: string, value: unknown, where: string): void {
  const validate = ajv.getSchema(`openapi${pointer}`) ?? ajv.compile({ $ref: `openapi${pointer}` });
  if (validate(value) !== true)
    throw new Error(`${where}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`);
}

const pointerOf = (node: unknown): string => (node as { $ref: string }).$ref;
const escape = (text: string): string => text.replaceAll('~', '~0').replaceAll('/', '~1');
const resolve = (pointer: string): unknown =>
  pointer
    .slice(2)
    .split('/')
    .reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], api);
