"""How the page of a dataset looks, in light and in dark."""

STYLE = """
:root { color-scheme: light dark; --paper: #fdfdfc; --card: #fff; --ink: #1f2328; --dim: #626a73; --line: #dcdfe3;
  --bar: #3b7dd8; --band: #f0a94a55; --mean: #b45f06; --warn: #9a4d00; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171a; --card: #1c2024; --ink: #e4e7ea; --dim: #9aa3ad; --line: #33393f;
    --bar: #6aa5f0; --band: #f0a94a44; --mean: #ffbf69; --warn: #ffb35c; }
}
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1060px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: .95rem; margin: 1.2rem 0 .4rem; }
p { margin: 0; max-width: 52rem; }
.dim { color: var(--dim); overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1.1rem .7rem; }
.card h3 { margin: 0; }
.score { font-size: 1.6rem; font-weight: 600; font-variant-numeric: tabular-nums; margin-right: .6rem; }
svg { display: block; width: 100%; height: auto; margin-top: .6rem; }
svg text { fill: var(--dim); font: 11px system-ui, sans-serif; }
.bar { fill: var(--bar); } .band { fill: var(--band); }
.axis { stroke: var(--line); } .mean { stroke: var(--mean); stroke-width: 1.5; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem 1rem .35rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; width: 1%; }
td { overflow-wrap: anywhere; }
details { color: var(--dim); } summary { cursor: pointer; } details ul { margin: .3rem 0; padding-left: 1.2rem; }
.strip { display: grid; grid-template-columns: 4rem repeat(5, minmax(0, 1fr)); gap: .7rem; margin: .4rem 0; }
.strip > span { color: var(--dim); padding-top: .2rem; }
figure { margin: 0; min-width: 0; }
figure img { display: block; width: 100%; height: 6.5rem; object-fit: contain; object-position: left bottom; }
figcaption { font-size: .8rem; line-height: 1.3; color: var(--dim); overflow-wrap: anywhere; margin-top: .25rem; }
figcaption b { color: var(--ink); font-variant-numeric: tabular-nums; }
.failed td:first-child { width: 50%; } .warn { color: var(--warn); }
@media (max-width: 620px) {
  .strip { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .strip > span { grid-column: 1 / -1; }
}
"""
