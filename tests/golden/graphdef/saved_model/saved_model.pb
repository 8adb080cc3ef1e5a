
"train

xTraining
"serve"gpu

xServing