// Runs the tiny plan into the folder that is named; a test kills it on the way. Says "saved" after every point.
import { idOf, keyOf } from "../../study/experiments/plan.js";
import { runPlan } from "../../study/schedule.js";
import { Store } from "../../study/store.js";
import { digits, plan } from "./tiny.js";

const store = new Store(process.argv[2]!);
await runPlan(store.missing(plan(300)), { digits, products: "plain" }, 1, {
  progress: () => {},
  failed: (_, message) => process.stdout.write(`${message}\n`),
  trained(planned, trained) {
    const { settings, seed } = planned;
    store.save("tiny", { id: idOf(planned), key: keyOf(planned), settings, seed, versions: {}, date: "", ...trained });
    process.stdout.write("saved\n");
  },
});
