/** Shows an OpenAPI document as a page: plain HTML, no script. */
import { html } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import type { Json } from './openapi-parts.ts';

type Part = HtmlEscapedString | Promise<HtmlEscapedString>;

const METHODS = ['get', 'put', 'post', 'delete'] as const;

/** The document's paths with parameters and answers, then its schemas. */
export function renderApi(document: Json): Part {
  const paths = Object.entries(asObject(document['paths']));
  const schemas = Object.entries(asObject(asObject(document['components'])['schemas']));
  return html`<h1>Data API</h1>
    <p>
      What clients of the bridge send to its data listener, where the machine-readable form of this page is at
      <code>/openapi.json</code>. Everything under <code>/v1</code> wants a token.
    </p>
    ${paths.flatMap(([path, item]) => renderPath(document, path, asObject(item)))}
    <h2>Bodies</h2>
    ${schemas.map(
      ([name, schema]) =>
        html`<h3 id="schema-${name}">${name}</h3>
          ${renderSchema(schema)}`,
    )}`;
}

function renderPath(document: Json, path: string, item: Json): Part[] {
  const shared = asList(item['parameters']);
  return METHODS.filter((method) => method in item).map((method) => {
    const operation = asObject(item[method]);
    const parameters = [...shared, ...asList(operation['parameters'])].map((each) => resolve(document, each));
    return html`<section class="route">
      <h2><code class="method">${method.toUpperCase()}</code> <code>${path}</code></h2>
      <p>${text(operation, 'summary')} ${text(operation, 'description')}</p>
      ${parameters.length === 0 ? '' : renderParameters(parameters)}
      ${renderBody(asObject(operation['requestBody']))} ${renderAnswers(asObject(operation['responses']))}
    </section>`;
  });
}

function renderParameters(parameters: readonly Json[]): Part {
  return html`<table>
    <caption>
      Sent
    </caption>
    <thead>
      <tr>
        <th scope="col">Name</th>
        <th scope="col">In</th>
        <th scope="col">Meaning</th>
      </tr>
    </thead>
    <tbody>
      ${parameters.map(
        (each) =>
          html`<tr>
            <th scope="row"><code>${text(each, 'name')}</code></th>
            <td>${text(each, 'in')}${each['required'] === true ? ', required' : ''}</td>
            <td>${text(each, 'description')} <small>${describe(asObject(each['schema']))}</small></td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function renderBody(body: Json): Part | string {
  const content = Object.entries(asObject(body['content']));
  if (content.length === 0) return '';
  return html`<p>
    Body: ${text(body, 'description')} ${content.map(([type, media]) => renderMedia(type, asObject(media)))}
  </p>`;
}

function renderAnswers(responses: Json): Part {
  return html`<table>
    <caption>
      Answered
    </caption>
    <thead>
      <tr>
        <th scope="col">Status</th>
        <th scope="col">Meaning</th>
        <th scope="col">Headers and body</th>
      </tr>
    </thead>
    <tbody>
      ${Object.entries(responses).map(([status, each]) => {
        const answer = asObject(each);
        const headers = Object.keys(asObject(answer['headers']));
        const content = Object.entries(asObject(answer['content']));
        return html`<tr>
          <th scope="row">${status}</th>
          <td>${text(answer, 'description').replaceAll('`', '')}</td>
          <td>
            ${headers.map((name) => html`<code>${name}</code> `)}
            ${content.map(([type, media]) => renderMedia(type, asObject(media)))}
          </td>
        </tr>`;
      })}
    </tbody>
  </table>`;
}

function renderMedia(type: string, media: Json): Part {
  const name = text(asObject(media['schema']), '$ref').split('/').at(-1) ?? '';
  return name === ''
    ? html`<code>${type}</code>`
    : html`<code>${type}</code>: <a href="#schema-${name}">${name}</a>`;
}

function renderSchema(schema: unknown): Part {
  return html`<pre tabindex="0">${JSON.stringify(schema, null, 2)}</pre>`;
}

/** The bounds of a value in a few words. */
function describe(schema: Json): string {
  const bounds = ['type', 'pattern', 'minimum', 'maximum', 'const'].filter((name) => name in schema);
  return bounds.map((name) => `${name} ${String(schema[name])}`).join(', ');
}

function resolve(document: Json, part: unknown): Json {
  const reference = text(asObject(part), '$ref');
  if (reference === '') return asObject(part);
  const path = reference.replace(/^#\//, '').split('/');
  return path.reduce<Json>((found, name) => asObject(found[name]), document);
}

function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(part: Json, name: string): string {
  const value = part[name];
  return typeof value === 'string' ? value : '';
}
