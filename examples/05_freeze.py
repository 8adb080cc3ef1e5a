# SPDX-License-Identifier: Apache-2.0
"""05: the whole job from Python, through ctypes: checkpoint, GraphDef, frozen graph, accuracy.

    python3 05_freeze.py MODEL.h5 DATA.csv OUT_FOLDER
"""
import os
import sys

import cnnfreeze

model_path, data_path, out = sys.argv[1:4]
os.makedirs(out, exist_ok=True)

model = cnnfreeze.load(model_path).with_saver()
model.write_checkpoint(f"{out}/tfchkpt.ckpt")
model.write(f"{out}/tf_complete_model.pb")
print(f"{len(cnnfreeze.Checkpoint(f'{out}/tfchkpt.ckpt'))} tensors in the checkpoint")

frozen = cnnfreeze.load(f"{out}/tf_complete_model.pb").bind(f"{out}/tfchkpt.ckpt").freeze(model.outputs)
frozen.write(f"{out}/frozen_graph.pb")
print(f"froze {frozen.converted} variables, {len(frozen)} nodes")

result = cnnfreeze.evaluate(frozen, data_path, classes=25, input_node=model.inputs[0], output_node=model.outputs[0])
print(f"accuracy {result['accuracy']:.4f} on {result['images']} images")

try:
    cnnfreeze.load(data_path)
except cnnfreeze.Error as error:
    print(f"as it should: {error.code}: {os.path.basename(error.message)}")
else:
    sys.exit("a CSV file was taken for a model")
