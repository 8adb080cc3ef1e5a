/* SPDX-License-Identifier: Apache-2.0 */
/* Colours are variables: --one and --two are the two graphs, --hit and --miss right and wrong. */
#include "evaluation/report/report_style.h"

#include <stddef.h>

const char *const cnnfi_report_style[] = {
    ":root{color-scheme:light dark;--paper:#fff;--card:#f6f7f9;--line:#d8dce3;--ink:#1b1f27;--soft:#5b6472;"
    "--one:#2563c9;--two:#c2620a;--hit:37 99 201;--miss:200 45 "
    "45;--bad:#b3261e;--good:#1a7f46;--bar:#e6e9ef;--on:#fff}\n",
    "@media(prefers-color-scheme:dark){:root{--paper:#14171c;--card:#1d2128;--line:#353b46;--ink:#e7eaf0;"
    "--soft:#9aa4b2;--one:#78a9ff;--two:#f2a154;--hit:96 150 255;--miss:255 95 85;--bad:#ff8a80;--good:#6fd598;"
    "--bar:#2b313b;--on:#0d1117}}\n",
    "*{box-sizing:border-box}\n",
    "body{margin:0 auto;padding:2rem 1.5rem 3rem;max-width:76rem;background:var(--paper);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Liberation Sans\",Arial,sans-serif;"
    "font-variant-numeric:tabular-nums}\n",
    "h1{font-size:1.6rem;line-height:1.25;margin:0 0 .6rem;overflow-wrap:anywhere}\n",
    "h2{font-size:1.15rem;margin:2.4rem 0 .2rem}h3{font-size:.95rem;margin:1.4rem 0 .4rem;font-weight:600;"
    "overflow-wrap:anywhere}\n",
    "p{margin:.2rem 0 .7rem}.soft,.note{color:var(--soft)}.note{font-size:.88rem;max-width:46rem}\n",
    "dl{display:flex;flex-wrap:wrap;gap:.2rem 1.6rem;margin:0}dl div{display:flex;gap:.45rem}dt{color:var(--soft)}"
    "dd{margin:0;overflow-wrap:anywhere}\n",
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:1rem;margin-top:1.4rem}\n",
    ".card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1rem 1.2rem}\n",
    ".card h2{margin:0;font-size:.95rem;font-weight:600;overflow-wrap:anywhere}"
    ".big{font-size:2.3rem;font-weight:650;line-height:1.15;margin:.25rem 0 .4rem}\n",
    ".card dl{flex-direction:column;gap:.1rem;font-size:.9rem}.card dl div{justify-content:space-between}\n",
    ".dot{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.4em;background:var(--one)}"
    ".two .dot,.dot.two{background:var(--two)}\n",
    ".up{color:var(--good)}.down{color:var(--bad)}\n",
    "table{border-collapse:collapse;font-size:.9rem}caption{text-align:left;color:var(--soft);font-size:.88rem;"
    "padding-bottom:.4rem}\n",
    "th{font-weight:600;text-align:left}td,th{padding:.22rem .7rem .22rem 0;vertical-align:middle}\n",
    ".plain td,.plain thead th{text-align:right}.plain thead th:first-child{text-align:left}"
    ".plain thead th,.bars thead th{color:var(--soft);border-bottom:1px solid var(--line);font-weight:500}\n",
    ".scroll{overflow-x:auto;max-width:100%}\n",
    ".pair{display:flex;flex-wrap:wrap;gap:0 2.5rem;align-items:flex-start}.pair>*{min-width:0}\n",
    ".heat{border-collapse:separate;border-spacing:2px}.heat td{width:2.35rem;min-width:1.6rem;height:1.9rem;"
    "padding:0 .2rem;text-align:center;border-radius:3px;background:var(--card);color:var(--soft)}\n",
    ".heat td.h{background:rgb(var(--hit)/var(--a));color:var(--ink)}"
    ".heat td.m{background:rgb(var(--miss)/var(--a));color:var(--ink)}\n",
    ".heat td.x{color:var(--on)}.heat td:hover{outline:2px solid var(--ink)}\n",
    ".heat th{padding:0 .5rem 0 0;font-weight:500;max-width:8.5rem;overflow:hidden;text-overflow:ellipsis;"
    "white-space:nowrap}.heat thead th{padding:0 0 .2rem;text-align:center}\n",
    ".heat .turn{writing-mode:vertical-rl;transform:rotate(180deg);max-height:9rem;max-width:none;display:inline-block;"
    "overflow:hidden;text-overflow:ellipsis}\n",
    ".dense td,.dense td.h,.dense td.m,.dense td.x{width:.85rem;min-width:.85rem;height:.85rem;padding:0;"
    "font-size:.3rem;color:transparent;border-radius:1px}.dense{border-spacing:1px}"
    ".dense th{font-size:.68rem;line-height:.85rem;padding:0 .3rem 0 0}.dense thead th{padding:0 0 .2rem}\n",
    ".bars{width:100%;max-width:60rem}.bars th[scope=row]{max-width:14rem;overflow:hidden;text-overflow:ellipsis;"
    "white-space:nowrap}.bars td:not(.bar){text-align:right;color:var(--soft);width:5rem}"
    ".bars .bar{width:26%;height:1.9rem}\n",
    ".bar{position:relative}.bar span{display:block;background:var(--bar);border-radius:3px;height:.62rem;"
    "margin:1px 3.4rem 1px 0}.bar i{display:block;height:100%;border-radius:3px;background:var(--one)}"
    ".bar .two i{background:var(--two)}\n",
    ".bar span+span{margin-top:2px}.bar b{position:absolute;right:.8rem;top:50%;transform:translateY(-50%);"
    "font-weight:400;font-size:.8rem;line-height:.86rem;text-align:right}\n",
    "svg{display:block;max-width:100%;height:auto}svg text{fill:var(--soft);font-size:11px}"
    ".axis{stroke:var(--line);fill:none}.ideal{stroke:var(--soft);stroke-dasharray:4 4;fill:none}\n",
    ".line{fill:none;stroke:var(--one);stroke-width:2}.point{fill:var(--one);fill-opacity:.75}"
    ".line.two{stroke:var(--two)}.point.two{fill:var(--two)}.labels{fill:var(--soft);fill-opacity:.45}"
    ".guess{stroke:var(--one);stroke-width:2}.guess.two{stroke:var(--two)}\n",
    ".gallery{list-style:none;margin:.4rem 0 0;padding:0;display:grid;"
    "grid-template-columns:repeat(auto-fill,minmax(8.4rem,1fr));gap:.8rem}\n",
    ".gallery li{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.6rem;text-align:center;"
    "overflow:hidden}.gallery img,.gallery .none{display:block;width:6.5rem;height:6.5rem;margin:0 auto .4rem;"
    "object-fit:contain;border-radius:4px}.gallery .dots{image-rendering:pixelated}\n",
    ".gallery .none{line-height:6.5rem;color:var(--soft);font-size:.8rem;border:1px dashed var(--line)}"
    ".gallery p{margin:0;font-size:.85rem;overflow-wrap:anywhere}.gallery .right{color:var(--good);font-weight:600}"
    ".gallery .wrong{color:var(--bad);font-weight:600}\n",
    "footer{margin-top:3rem;padding-top:.8rem;border-top:1px solid var(--line)}\n",
    "@media print{:root{color-scheme:light;--paper:#fff;--card:#fff;--line:#bbb;--ink:#000;--soft:#444;--one:#2563c9;"
    "--two:#c2620a;--hit:37 99 201;--miss:200 45 45;--bad:#b3261e;--good:#1a7f46;--bar:#e6e9ef;--on:#fff}"
    "body{max-width:none;padding:0;font-size:11px}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
    "h2,h3{break-after:avoid}li,tr,.card,svg,.heat{break-inside:avoid}.scroll{overflow:visible}"
    ".gallery{grid-template-columns:repeat(7,1fr)}.gallery img,.gallery .none{width:4.5rem;height:4.5rem}"
    ".gallery .none{line-height:4.5rem}}\n",
    NULL};
