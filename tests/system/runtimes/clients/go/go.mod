module aispm.example/client

go 1.19
