#include "daemon/control/status_page.h"

namespace wsl4::control {

// Everything that comes from the API goes into the page as text (textContent), never as markup.
std::string_view status_page() {
  return R"page(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>wsl4</title>
<link rel="icon" href="data:,">
<style>
:root { --back: #f6f7f9; --card: #fff; --text: #1b1f24; --soft: #5b6570; --line: #dfe3e8; --good: #1a7f4b; --bad: #b3261e;
  --warn: #8a5a00; --warn-back: #fff4da; --bar: #3d7bd9; --bar-back: #e4e9f0; }
@media (prefers-color-scheme: dark) { :root { --back: #14171b; --card: #1d2126; --text: #e6e9ed; --soft: #9aa4af; --line: #323941;
  --good: #5ccb8f; --bad: #ff8a80; --warn: #ffcf70; --warn-back: #3a2e12; --bar: #6ea4f4; --bar-back: #2b323a; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem; background: var(--back); color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
main, header { max-width: 70rem; margin: 0 auto 1rem; }
h1, h2 { margin: 0; font-size: 1.15rem; } h1 { font-size: 1.4rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; margin-bottom: 1rem; }
.facts { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; margin: .6rem 0 0; }
.facts div { min-width: 7rem; } .facts dt { color: var(--soft); font-size: .8rem; } .facts dd { margin: 0; font-weight: 600; }
.scroll { overflow-x: auto; margin-top: .8rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem .3rem 0; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; font-size: .8rem; } .number { text-align: right; }
.good { color: var(--good); } .bad { color: var(--bad); } .soft { color: var(--soft); }
.warning { background: var(--warn-back); color: var(--warn); border-radius: .4rem; padding: .5rem .8rem; margin-top: .6rem; }
.bar { width: 7rem; height: .5rem; background: var(--bar-back); border-radius: .25rem; overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--bar); }
</style>
</head>
<body>
<header><h1 id="title">wsl4</h1><div id="state" class="soft" role="status">loading</div></header>
<main id="main"></main>
<noscript>This page needs JavaScript; the same is in /v1/status.</noscript>
<script>
'use strict';
const kRefresh = 2000;
const plain = new Intl.NumberFormat('en');
const count = n => plain.format(n);
const percent = x => (100 * x).toFixed(1) + ' %';

function node(tag, content, cls) {
  const element = document.createElement(tag);
  if (cls) element.className = cls;
  for (const part of [].concat(content ?? [])) element.append(part instanceof Node ? part : String(part));
  return element;
}
function facts(pairs) {
  return node('dl', pairs.map(([name, value, cls]) => node('div', [node('dt', name), node('dd', value, cls)])), 'facts');
}
function bar(share) {
  const inner = node('i');
  inner.style.width = Math.min(100, 100 * share) + '%';
  return node('div', inner, 'bar');
}
function table(columns, rows) {
  const head = node('tr', columns.map(([name, number]) => node('th', name, number ? 'number' : '')));
  const body = rows.map(row => node('tr', row.map((cell, i) => node('td', cell, columns[i][1] ? 'number' : ''))));
  return node('div', node('table', [node('thead', head), node('tbody', body)]), 'scroll');
}
function duration(s) {
  if (s < 60) return s + ' s';
  if (s < 3600) return Math.floor(s / 60) + ' min ' + s % 60 + ' s';
  if (s < 86400) return Math.floor(s / 3600) + ' h ' + Math.floor(s % 3600 / 60) + ' min';
  return Math.floor(s / 86400) + ' d ' + Math.floor(s % 86400 / 3600) + ' h';
}
function overview(status) {
  const kernel = status.kernel, role = status.node.role;
  const card = node('section', facts([
    ['Role', role, role === 'active' || role === 'standby' ? 'good' : 'bad'],
    ['Since', new Date(status.node.role_since).toLocaleString()],
    ['Up for', duration(status.node.uptime_s)],
    ['Rules', kernel.ruleset_in_sync ? 'in sync' : 'not in sync', kernel.ruleset_in_sync ? 'good' : 'bad'],
    ['Connection table', count(kernel.conntrack.count) + ' of ' + count(kernel.conntrack.max)],
    ['Event overruns', count(kernel.event_overruns)],
    ['Version', status.version + ', Linux ' + kernel.release],
  ]), 'card');
  for (const warning of status.warnings) card.append(node('div', warning, 'warning'));
  return card;
}
// Only where there is a pair.
function pair(status) {
  const ha = status.ha, peer = ha.peer, sync = ha.sync;
  if (ha.election === 'none') return [];
  const list = [
    ['Peer', (peer.name ?? '') + (peer.role ? ' (' + peer.role + ')' : '') || 'not heard of yet', peer.role === 'fault' ? 'bad' : ''],
    ['Address', peer.address],
    ['Link', peer.connected ? 'connected' : 'not connected', peer.connected ? 'good' : 'bad'],
    ['Sync', sync.state, sync.state === 'synced' ? 'good' : sync.state === 'disconnected' ? 'bad' : ''],
    ['Flows', count(sync.flows)], ['Pending', count(sync.pending)], ['Lag', sync.lag_ms.toFixed(1) + ' ms'],
    ['Election', ha.election], ['Role changes', count(ha.transitions)],
  ];
  if (sync.repairs) list.push(['Repaired', count(sync.repairs), 'bad']);
  if (sync.refused) list.push(['Refused by this kernel', count(sync.refused), 'bad']);
  const card = node('section', [node('h2', 'Pair'), facts(list)], 'card');
  if (ha.takeover) card.append(table([['Last takeover: ' + ha.takeover.plan], ['ms', 1], ['']],
    ha.takeover.phases.map(p => [p.step, p.took_ms.toFixed(1), p.done ? '' : 'given up'])));
  return [card];
}
// The state and what explains it: "down (connection refused)".
function stateOf(b) {
  const prefix = b.state + ': ';
  const more = [b.reason.startsWith(prefix) ? b.reason.slice(prefix.length) : b.reason].filter(r => r && r !== b.state);
  if (b.empty_in_s !== null) more.push('empty in ' + duration(b.empty_in_s));
  const text = b.state + (more.length ? ' (' + more.join(', ') + ')' : '');
  return node('span', text, b.state === 'up' ? 'good' : b.state === 'down' ? 'bad' : '');
}
function checkOf(b) {
  return b.check ? node('span', b.check.detail, b.check.ok ? '' : 'bad') : '';
}
function service(s) {
  const how = [s.protocol, s.mode, s.scheduler];
  if (s.health !== 'none') how.push('health ' + s.health);
  const card = node('section', [node('h2', s.name), node('div', how.join(' · ') + ' · ' + s.listen.join(', '), 'soft')], 'card');
  const list = [['Connections', count(s.connections)], ['New per second', s.rate.toFixed(1)], ['Total', count(s.total)],
                ['Refused', count(s.refused), s.refused ? 'bad' : '']];
  if (s.snat) list.push(['SNAT pool ' + s.snat.pool, count(s.snat.used) + ' of ' + count(s.snat.capacity)],
                        ['Fullest pair', percent(s.snat.worst_use), s.snat.worst_use >= 0.85 ? 'bad' : '']);
  if (s.snat && s.snat.pairs_full) list.push(['Full pairs', count(s.snat.pairs_full), 'bad']);
  if (s.snat && s.snat.full_in_s !== null) list.push(['Full in', duration(s.snat.full_in_s), 'bad']);
  if (s.discovery) list.push(['Discovery', s.discovery.source + (s.discovery.failing ? ': failing' : ''), s.discovery.failing ? 'bad' : '']);
  card.append(facts(list));
  card.append(table([['Backend'], ['Address'], ['State'], ['Weight', 1], ['Connections', 1], ['Total', 1], ['Share', 1], [''], ['Check'], ['Source']],
    s.backends.map(b => [b.name + (b.changed ? ' *' : ''), b.address, stateOf(b), count(b.weight), count(b.connections),
                         count(b.total), percent(b.share), bar(b.share), checkOf(b), b.source ?? ''])));
  if (s.backends.some(b => b.changed)) card.append(node('div', '* changed at run time', 'soft'));
  if (s.removed.length) card.append(node('div', 'removed at run time: ' + s.removed.join(', '), 'soft'));
  return card;
}
async function refresh() {
  const state = document.getElementById('state');
  try {
    const response = await fetch('/v1/status', {cache: 'no-store'});
    if (!response.ok) throw new Error('the daemon answers with status ' + response.status);
    const status = await response.json();
    document.title = 'wsl4: ' + status.node.name;
    document.getElementById('title').textContent = status.node.name;
    document.getElementById('main').replaceChildren(overview(status), ...pair(status), ...status.services.map(service));
    state.textContent = 'as of ' + new Date().toLocaleTimeString();
    state.className = 'soft';
  } catch (error) {
    state.textContent = 'no answer: ' + error.message;
    state.className = 'bad';
  }
  setTimeout(refresh, kRefresh);
}
refresh();
</script>
</body>
</html>
)page";
}

}  // namespace wsl4::control
