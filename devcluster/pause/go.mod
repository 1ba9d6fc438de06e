module tkex.tencent.com/game-operators/tests/cluster/pause

go 1.24
