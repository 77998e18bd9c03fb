/** The pages of the operator's listener. They carry no data: scripts fetch it, so that nothing is ever cached. */
import { html } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import { renderApi } from './docs-page.ts';
import type { Json } from './openapi-parts.ts';
import { VERSION } from './version.ts';

type Page = HtmlEscapedString | Promise<HtmlEscapedString>;

/** Where an operator shows the token. */
export function loginPage({ hasFailed }: { readonly hasFailed: boolean }): Page {
  return frame(
    'Log in',
    html`<main class="login">
      <h1>${LOGO} memsession bridge</h1>
      <form method="post" action="/dashboard/login">
        <input
          class="hidden"
          name="username"
          autocomplete="username"
          value="operator"
          tabindex="-1"
          aria-hidden="true"
          readonly
        />
        <label for="token">Admin token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="current-password"
          required
          autofocus
          ${hasFailed ? html`aria-invalid="true" aria-describedby="failure"` : ''}
        />
        ${hasFailed ? html`<p id="failure" class="failure" role="alert">This is not the token.</p>` : ''}
        <button type="submit">Log in</button>
      </form>
      <p class="hint">It is the bridge's <code>ADMIN_TOKEN</code>. You stay logged in for up to 8 hours.</p>
    </main>`,
  );
}

/** The dashboard before its script has filled it. */
export function dashboardPage(): Page {
  return frame(
    'memsession bridge',
    html`<a class="skip" href="#main">Skip to the nodes</a>
      <header>
        <p class="name">${LOGO} memsession bridge</p>
        <p id="status" class="pill" role="status">…</p>
        <nav aria-label="Page">
          <a href="/dashboard/docs">API</a>
          <button type="button" id="theme">Theme: auto</button>
          <form method="post" action="/dashboard/logout"><button type="submit">Log out</button></form>
        </nav>
      </header>
      ${dashboardMain()} ${QUESTION}
      <script type="module" src="/assets/main.js"></script>`,
  );
}

function dashboardMain(): Page {
  return html`<main id="main" tabindex="-1">
    <p id="offline" class="notice" data-kind="bad" role="alert" hidden>
      The bridge does not answer. What you see is old; trying again.
    </p>
    <p id="outcome" class="notice" role="status" hidden></p>
    <h1 class="hidden">Bridge</h1>
    <p id="summary" class="summary" aria-live="polite">Waiting for the bridge …</p>
    <p id="facts" class="muted"></p>
    <dl class="figures">${FIGURES.map(figure)}</dl>
    <section aria-labelledby="nodes-title">
      <h2 id="nodes-title">Nodes</h2>
      <div id="nodes" role="group" tabindex="0" aria-labelledby="nodes-title"></div>
      <p id="source" class="muted"></p>
    </section>
    <section id="warnings-part" aria-labelledby="warnings-title" hidden>
      <h2 id="warnings-title">To be looked after</h2>
      <ul id="warnings"></ul>
    </section>
    <section id="plots" aria-label="Plots">${PLOTS.map(plot)}</section>
    <p class="muted" id="plots-note">
      A line across a plot: a node went down (solid) or came back (dashed).<span id="colour-probe"></span>
    </p>
    <section aria-labelledby="incidents-title">
      <h2 id="incidents-title">What happened</h2>
      <p id="no-incidents" class="muted">Nothing yet.</p>
      <ol id="incidents" reversed tabindex="0" aria-labelledby="incidents-title"></ol>
    </section>
  </main>`;
}

/** The data API for people. */
export function docsPage(document: Json): Page {
  return frame(
    'API of the memsession bridge',
    html`<header>
        <p class="name">${LOGO} memsession bridge ${VERSION}</p>
        <nav aria-label="Page"><a href="/dashboard">Dashboard</a></nav>
      </header>
      <main class="docs">${renderApi(document)}</main>`,
  );
}

const LOGO = html`<img src="/assets/icon.svg" alt="" width="28" height="28" />`;

const QUESTION = html`<dialog id="question" aria-labelledby="question-title" aria-describedby="question-text">
  <form method="dialog">
    <h2 id="question-title"></h2>
    <p id="question-text"></p>
    <p class="buttons"><button value="no">Cancel</button><button value="yes" class="strong">Yes</button></p>
  </form>
</dialog>`;

const FIGURES: readonly (readonly [string, string, string])[] = [
  ['figure-rate', 'Operations', 'now'],
  ['figure-p99', '99 % answered in', 'now'],
  ['figure-failed', 'Failed or refused', 'last 15 minutes'],
  ['figure-relocations', 'Relocations', 'last 15 minutes'],
  ['figure-conflicts', 'Conflicts', 'last 15 minutes'],
  ['figure-evictions', 'Evictions', 'since the nodes started'],
];

const PLOTS: readonly (readonly [string, string, string])[] = [
  ['plot-operations', 'Operations', 'a second, by what became of them'],
  ['plot-latency', 'Time to an answer', 'half, 95 % and 99 % of all requests'],
  ['plot-nodes', 'Round trip to each node', '99 % of its operations'],
  ['plot-served', 'Answers from each node', 'a second'],
  ['plot-failover', 'Failover', 'a second'],
  ['plot-conflicts', 'Conflicts and doubts', 'a second'],
];

function figure([id, title, span]: readonly [string, string, string]): Page {
  return html`<div>
    <dt>${title}</dt>
    <dd id="${id}">–</dd>
    <dd class="muted">${span}</dd>
  </div>`;
}

function plot([id, title, what]: readonly [string, string, string]): Page {
  return html`<section aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title} <small>${what}</small></h2>
    <figure id="${id}" aria-labelledby="${id}-title"></figure>
  </section>`;
}

function frame(title: string, body: Page): Page {
  return html`<!doctype html>
    <html lang="en" data-theme="auto">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/uplot.css" />
        <link rel="stylesheet" href="/assets/pages.css" />
      </head>
      <body>
        ${body}
      </body>
    </html>`;
}
