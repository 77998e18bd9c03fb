/** An OpenAPI document as the driver of requests and the judge of their answers. */
import { Ajv2020 } from 'ajv/dist/2020.js';

type Json = Readonly<Record<string, unknown>>;

/** A header or path parameter. */
export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'header';
  readonly isRequired: boolean;
  readonly schema: Json;
}

export interface ApiOperation {
  readonly id: string;
  readonly method: string;
  /** With its parameters in braces. */
  readonly path: string;
  readonly isSecured: boolean;
  readonly parameters: readonly Parameter[];
  /** Statuses that are documented. */
  readonly statuses: readonly number[];
}

/** What is sent: values by the names of parameters. */
export interface ApiCall {
  readonly values?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Null sends none. */
  readonly token?: string | null;
}

/** What came back, checked against the document. */
export interface ApiReply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const METHODS = ['get', 'put', 'post', 'delete'];
/** Headers of the protocol: in an answer only where they are documented. */
const TOLD_HEADERS = [
  'ETag',
  'Session-Ref',
  'Session-Copies',
  'Session-Version',
  'Retry-After',
  'WWW-Authenticate',
];

/** Speaks with one bridge, in no other way than its document says. */
export class ApiDocument {
  readonly operations: readonly ApiOperation[];
  /** `operation status` of every answer so far. */
  readonly seen: Set<string> = new Set();
  readonly #document: Json;
  readonly #url: string;
  readonly #token: string;
  // The document has keywords of its own around its schemas.
  readonly #ajv: Ajv2020 = new Ajv2020({ strict: false, allErrors: true });

  constructor(document: Json, { url, token }: { url: string; token: string }) {
    this.#document = document;
    this.#url = url;
    this.#token = token;
    this.#ajv.addSchema({ ...document, $id: 'api' });
    this.operations = Object.entries(objectOf(document['paths'])).flatMap(([path, item]) =>
      METHODS.filter((method) => method in objectOf(item)).map((method) =>
        this.#readOperation(path, method, objectOf(item)),
      ),
    );
  }

  /** The same document for another bridge; what is seen there counts here too. */
  at(url: string, token: string = this.#token): ApiDocument {
    const other = new ApiDocument(this.#document, { url, token });
    other.seen.add = (key) => this.seen.add(key);
    return other;
  }

  operation(id: string): ApiOperation {
    const found = this.operations.find((operation) => operation.id === id);
    if (found === undefined) throw new Error(`The document has no operation ${id}.`);
    return found;
  }

  /** Whether a value fits the schema of a parameter. */
  isValid(parameter: Parameter, value: unknown): boolean {
    return this.#ajv.validate(parameter.schema, value);
  }

  /** Whether a value fits a named schema. */
  fits(schema: string, value: unknown): boolean {
    return this.#ajv.validate({ $ref: `api#/components/schemas/${schema}` }, value);
  }

  /** Sends a documented request; rejects when the answer is not as documented. */
  async send(id: string, { values = {}, body, token = this.#token }: ApiCall = {}): Promise<ApiReply> {
    const operation = this.operation(id);
    const headers = new Headers(token === null ? {} : { authorization: `Bearer ${token}` });
    let path = operation.path;
    for (const [name, value] of Object.entries(values)) {
      const parameter = operation.parameters.find((each) => each.name === name);
      if (parameter === undefined) throw new Error(`${id} has no parameter ${name}.`);
      if (parameter.in === 'path') path = path.replace(`{${name}}`, encodeURIComponent(value));
      else headers.set(name, value);
    }
    const { method } = operation;
    const response = await fetch(this.#url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const reply = { status: response.status, headers: response.headers, text: await response.text() };
    this.#check(operation, reply);
    return reply;
  }

  #check({ id, method, path }: ApiOperation, { status, headers, text }: ApiReply): void {
    const where = `${id} ${status}`;
    this.seen.add(where);
    const item = objectOf(objectOf(this.#document['paths'])[path]);
    const answer = objectOf(objectOf(objectOf(item[method.toLowerCase()])['responses'])[String(status)]);
    if (!('description' in answer)) throw new Error(`${where} is not documented: ${text.slice(0, 200)}`);
    const documented = objectOf(answer['headers']);
    for (const name of TOLD_HEADERS) {
      const value = headers.get(name);
      if ((value !== null) !== name in documented) throw new Error(`${where}: header ${name} is ${value}`);
      if (value !== null) this.#checkHeader(`${where}: ${name}`, this.#resolve(documented[name]), value);
    }
    this.#checkBody(where, objectOf(answer['content']), { type: headers.get('content-type'), text });
  }

  #checkHeader(where: string, header: Json, value: string): void {
    const schema = objectOf(header['schema']);
    const typed = schema['type'] === 'integer' ? Number(value) : value;
    if (!this.#ajv.validate(schema, typed))
      throw new Error(`${where} is ${value}: ${this.#ajv.errorsText()}`);
  }

  #checkBody(where: string, content: Json, { type, text }: { type: string | null; text: string }): void {
    const types = Object.keys(content);
    if (types.length === 0 ? text !== '' : !types.includes(type ?? ''))
      throw new Error(`${where}: a body of type ${type} is not documented`);
    const schema = objectOf(content['application/json'])['schema'];
    if (schema === undefined) return;
    // Every `$ref` in an answer names a component of the document.
    const reference = String(objectOf(schema)['$ref']).replace('#', 'api#');
    if (!this.#ajv.validate({ $ref: reference }, JSON.parse(text)))
      throw new Error(`${where}: ${this.#ajv.errorsText()}`);
  }

  #readOperation(path: string, method: string, item: Json): ApiOperation {
    const operation = objectOf(item[method]);
    const security = operation['security'];
    return {
      id: String(operation['operationId']),
      method: method.toUpperCase(),
      path,
      isSecured: !Array.isArray(security) || security.length > 0,
      parameters: [...listOf(item['parameters']), ...listOf(operation['parameters'])].map((each) =>
        readParameter(this.#resolve(each)),
      ),
      statuses: Object.keys(objectOf(operation['responses'])).map(Number),
    };
  }

  #resolve(value: unknown): Json {
    const reference = objectOf(value)['$ref'];
    if (typeof reference !== 'string') return objectOf(value);
    let found: unknown = this.#document;
    for (const step of reference.replace('#/', '').split('/')) found = objectOf(found)[step];
    return objectOf(found);
  }
}

function readParameter(raw: Json): Parameter {
  return {
    name: String(raw['name']),
    in: raw['in'] === 'path' ? 'path' : 'header',
    isRequired: raw['required'] === true,
    schema: objectOf(raw['schema']),
  };
}

function objectOf(value: unknown): Json {
  // What is no object has no members.
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
