import { experimentsOf } from "./experiments/experiments.js";
import { planOf, idOf, keyOf } from "./experiments/plan.js";
import { runPlan } from "./schedule.js";
import { Store } from "./store.js";
import { loadMnist } from "./data/mnist.js";
import { writeReport } from "./report/report.js";
const size = { seeds: 2, long: 300, speed: 200, usual: 100, epochs: 0.02, equalSteps: 10, convolutional: 50 };
const store = new Store("/tmp/st/results");
const plan = planOf(experimentsOf(size), 2);
const d = loadMnist();
const t = performance.now();
await runPlan(store.missing(plan), { digits: d, products: "tensorflow" }, 2, {
  progress() {},
  failed: (p, m) => console.log("FAILED", idOf(p), m),
  trained(p, tr) {
    store.save(p.experiment, {
      id: idOf(p),
      key: keyOf(p),
      settings: p.settings,
      seed: p.seed,
      versions: {},
      date: "2026-11-30",
      ...tr,
    });
  },
});
console.log(((performance.now() - t) / 1000).toFixed(0), "s", writeReport("/tmp/st", store.all(), size));
