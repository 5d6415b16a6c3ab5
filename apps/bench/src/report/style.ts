/**
 * How the pages look: one measured column, system fonts, light and dark from one set of variables.
 *
 * @module
 */

const LIGHT = `--paper:#fffdf9;--ink:#1c1b19;--muted:#666058;--rule:#dcd7cd;--panel:#f5f2ea;--link:#0b57a4;--focus:#b3470b;
--p1:#c9dcef;--p2:#86b2dc;--p3:#3d7dbd;--p4:#123f70;--h1:#f3dfb4;--h2:#dfb75c;--h3:#b98512;--h4:#6b4a00;--n1:#e5d3ea;--n2:#c49ad1;--n3:#9457a8;--n4:#542063;--fault:#f2b8a2;
--good:#00694c;--bad:#a8330a`;
const DARK = `--paper:#171615;--ink:#ece8e0;--muted:#a39c91;--rule:#3b3834;--panel:#22201e;--link:#8bbcf0;--focus:#ffb27a;
--p1:#3a5876;--p2:#4a80b5;--p3:#78b2ea;--p4:#d3e8fc;--h1:#5f4c1f;--h2:#96752a;--h3:#d8ae52;--h4:#fbe6b5;--n1:#604a6b;--n2:#8b5f9c;--n3:#c08ed3;--n4:#f0dcf6;--fault:#7c3a24;
--good:#5fd6ae;--bad:#ff9d76`;

/** The style sheet. */
export const STYLE: string = `
:root{${LIGHT};color-scheme:light}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${DARK};color-scheme:dark}}
:root[data-theme=dark]{${DARK};color-scheme:dark}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.55 Charter,"Bitstream Charter","Iowan Old Style","Palatino Linotype",Palatino,Georgia,serif;font-variant-numeric:lining-nums}
main,header,footer{max-width:47rem;margin:0 auto;padding:0 1rem}
header{padding-top:2.5rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .4rem;text-wrap:balance;font-weight:600}
h2{font-size:1.3rem;line-height:1.25;margin:3rem 0 .6rem;font-weight:600}#question h2,#answer h2{margin-top:1.6rem}
h3{font-size:1.05rem;margin:1.8rem 0 .4rem;font-weight:600}
p,ol.findings{max-width:38rem;margin:.6rem 0}
.lead{color:var(--muted);font-size:1.1rem}
ul.answer{padding-left:1.1rem;max-width:38rem}ul.answer li{margin:.3rem 0}ul.answer [data-field]{font-weight:600}.factors small{color:var(--muted);font-size:.85em}.anchor{color:var(--muted);text-decoration:underline dotted}
nav.contents{margin:.6rem 0 0;font-size:.95rem}nav.contents ol{columns:2;margin:.3rem 0;padding-left:1.4rem}@media (max-width:30rem){nav.contents ol{columns:1}}@media print{nav.contents{display:none}}
.sortable thead button{font-size:.8em;color:var(--muted);background:none;border:0;padding:0 .15em;cursor:pointer}.sortable thead button::after{content:"↕"}.sortable thead [aria-sort=ascending] button::after{content:"↑"}.sortable thead [aria-sort=descending] button::after{content:"↓"}
ol.findings{padding-left:1.4rem}ol.findings li{margin:.45rem 0}
a{color:var(--link);text-underline-offset:.15em}
th a{color:inherit;text-decoration-color:var(--rule)}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
code,pre,.mono{font:.86em/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono","DejaVu Sans Mono",monospace}
pre{background:var(--panel);padding:.7rem .9rem;overflow-x:auto}
figure{margin:1.4rem 0}
figcaption,caption{font-size:.9rem;line-height:1.4;color:var(--muted);text-align:left;max-width:38rem}
figcaption{margin-top:.5rem}caption{position:sticky;left:0}
.scroll caption{max-width:min(38rem,calc(100vw - 2rem))}caption{padding:.3rem 0 .5rem;caption-side:top}
figcaption b,caption b{color:var(--ink)}
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr));gap:1.2rem 1.6rem}
.panels h3,.panel h3{margin:0 0 .2rem;font-size:.92rem;font-weight:600}
svg.plot{display:block;width:100%;height:auto;font:11px system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;overflow:visible;color:var(--muted)}
svg.plot text{white-space:pre}
.leafrow p{margin:.55rem 0 .15rem;max-width:none;font-size:.88rem;line-height:1.35}
.leafrow svg.plot{height:22px;background:var(--panel)}
.counts{color:var(--muted)}
.scale{display:flex;justify-content:space-between;font-size:.8rem;color:var(--muted);max-width:none;margin:.1rem 0 .5rem}
.legend{list-style:none;padding:0;margin:.4rem 0;display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.85rem}
.swatch,.leafrow svg,svg.plot{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.swatch{display:inline-block;width:.85em;height:.85em;margin-right:.4em;vertical-align:-.05em;border:1px solid var(--rule)}
.swatch.under{height:.3em;vertical-align:.2em;background:var(--ink)}
.scroll{overflow-x:auto;margin:.8rem 0}
table{border-collapse:collapse;font-size:.84rem;line-height:1.35;min-width:100%}
thead th,thead td{border-bottom:1.5px solid var(--ink);vertical-align:bottom}
tbody tr:last-child>*{border-bottom:1.5px solid var(--ink)}
th,td{padding:.22rem .55rem .22rem 0;text-align:left;vertical-align:top;font-weight:400}
thead th{font-weight:600}
tbody tr:nth-child(n+2)>*{border-top:1px solid var(--rule)}
.numbers td,.numbers thead th:not(:first-child){text-align:right;font-variant-numeric:tabular-nums lining-nums;white-space:nowrap}
.numbers thead th{white-space:normal}
.numbers td:nth-child(2):not(:has([data-field],.none)),.numbers thead th:nth-child(2):not(:only-child){white-space:normal}
.numbers tbody th{position:sticky;left:0;background:var(--paper);min-width:9.5rem}
.matrix td{min-width:6rem}.scroll.wide{margin-inline:calc((100% - min(66rem,100vw - 3rem))/2)}@media (max-width:48rem){.scroll.wide{margin-inline:0}}
ol.findings [data-field]{font-weight:600}.name{white-space:nowrap}
.matrix tbody th{min-width:10rem;position:sticky;left:0;background:var(--paper)}
.mark{font-weight:700}.verdict-true .mark{color:var(--good)}.verdict-false .mark{color:var(--bad)}.verdict-null .mark{color:var(--muted)}
.words td:last-child{min-width:16rem}
ul.inline{list-style:none;margin:0;padding:0}ul.inline li{display:inline}ul.inline li:not(:last-child)::after{content:"; "}
.none{color:var(--muted)}
details{margin:.7rem 0}summary{cursor:pointer;color:var(--link);font-size:.95rem}
.controls{display:none;flex-wrap:wrap;gap:.5rem 1.2rem;margin:.8rem 0;font-size:.95rem;align-items:center}
.js .controls{display:flex}
select,button{font:inherit;color:inherit;background:var(--paper);border:1px solid var(--muted);border-radius:3px;padding:.2rem .5rem}
.theme{display:none;float:right;font-size:.85rem}.js .theme{display:block}
.js details.rest{display:none}
[hidden]{display:none!important}
#tip{position:fixed;z-index:9;pointer-events:none;max-width:20rem;background:var(--ink);color:var(--paper);padding:.35rem .55rem;border-radius:3px;font:.8rem/1.35 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
footer{padding:3rem 1rem 2rem;color:var(--muted);font-size:.9rem}
@media (max-width:30rem){body{font-size:1rem}h1{font-size:1.5rem}th,td{padding-right:.7rem}}
.controls input[type=range]{flex:1 1 14rem;accent-color:var(--focus)}
@media print{.controls,.theme,#tip{display:none!important}details.rest{display:block!important}}
`;
