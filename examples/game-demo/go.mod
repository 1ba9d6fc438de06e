module tkex.tencent.com/game-operators/examples/game-demo

go 1.24
