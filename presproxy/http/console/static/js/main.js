// The frame: which view an address means, navigation, keys and theme.
import { el } from './dom.js';
import { start, whenHeard } from './feed.js';
import { icon, shown } from './words.js';
import { open as people } from './views/people.js';
import { open as trace } from './views/trace.js';

const VIEWS = { people: { name: 'People', open: people, key: 'p' }, trace: { name: 'Trace', open: trace, key: 't' } };
const side = document.querySelector('.side'), top_ = document.querySelector('.top'), main = document.querySelector('main');
const root = document.documentElement;
let view = null, server = null;

const system = matchMedia('(prefers-color-scheme: dark)');
const paint = () => { root.dataset.theme = localStorage.getItem('theme') ?? (system.matches ? 'dark' : 'light'); };
const turn = () => { localStorage.setItem('theme', root.dataset.theme === 'dark' ? 'light' : 'dark'); paint(); };
system.addEventListener('change', paint);
paint();

const nav = (here) => side.replaceChildren(
  el('a.brand', { href: '/', 'aria-label': 'presproxy' }, el('img', { src: document.querySelector('link[rel=icon]').href, alt: '' }), el('span', 'presproxy')),
  ...Object.entries(VIEWS).map(([path, each]) => el('a.view', { href: `/${path}`, title: `${each.name} (g ${each.key})`, 'aria-label': each.name, 'aria-current': path === here ? 'page' : null }, icon(path), el('span', each.name))),
  server && el('div.node', el('b', shown(server.domains.join(', '))), el('div', el('span', 'Version'), el('span', server.version)), server.listeners.map((each) => el('div', el('span', each.split(':')[0]), el('span.num', each.slice(each.indexOf(':') + 1))))) || '');

const live = el('span.live.away', el('i'), el('span', 'Connecting'));
const head = (title) => top_.replaceChildren(el('h1', title), live, el('button.theme', { type: 'button', 'aria-label': 'Light or dark', title: 'Light or dark (t)', onclick: turn }, icon('theme')));
whenHeard((what, data) => {
  if (what === 'server') { server = data; nav(here()); return; }
  live.className = what === 'live' ? 'live' : 'live away';
  live.lastChild.replaceChildren(what === 'live' ? 'Live' : 'No news; looking for the server');
  main.classList.toggle('stale', what !== 'live');
});

const here = () => { const path = location.pathname.split('/')[1]; return path in VIEWS ? path : 'people'; };
const show = () => {
  view?.close();
  const path = here();
  view = VIEWS[path].open({ query: new URLSearchParams(location.search), go });
  nav(path);
  head(view.title);
  document.title = `${view.title} · presproxy`;
  main.replaceChildren(view.element);
  root.dataset.view = path;
};
const go = (address) => { history.pushState(null, '', address); show(); };
addEventListener('popstate', show);

// A link within the console changes the view and loads nothing.
document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href]');
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const to = new URL(link.href);
  if (to.origin !== location.origin || link.hasAttribute('download') || to.pathname.startsWith('/api/') || link.classList.contains('skip')) return;
  event.preventDefault();
  go(to.pathname + to.search);
});

let first = '';
addEventListener('keydown', (event) => {
  if (event.target.closest('input, select, textarea') || event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.key === ' ' && event.target.closest('button, a')) return;
  const after = first;
  first = event.key === 'g' ? 'g' : '';
  if (after === 'g') { const to = Object.keys(VIEWS).find((path) => VIEWS[path].key === event.key); if (to) go(`/${to}`); return; }
  if (event.key === 't') turn();
  else if (event.key === '/') { event.preventDefault(); main.querySelector('input')?.focus(); }
  else if (view?.key?.(event.key)) event.preventDefault();
});

start();
show();
